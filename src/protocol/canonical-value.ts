import { maxDepth } from './canonical-json.ts'

/**
 * The canonical form of a value that is parsed already: what `canonicalJson` gives for a text of that value.
 *
 * As in `JSON.stringify`, `toJSON` is called (dates), a member whose value is undefined is left out, and
 * undefined in an array is null. Unlike there, the whole result is undefined when any part of the value would
 * be lost: functions, symbols, bigints, NaN and the infinities, cycles, objects whose contents are not their
 * members (Map, Set, promises, typed arrays), and nesting more than 1,000 deep.
 *
 * @example
 * canonicalValue({ b: 1, a: new Date(0) }) // '{"a":"1970-01-01T00:00:00.000Z","b":1}'
 */
export function canonicalValue(value: unknown): string | undefined {
  return writeValue(withToJson(value, ''), new Set())
}

// `ancestors` are the arrays and objects that the value is inside of.

function writeValue(value: unknown, ancestors: Set<object>): string | undefined {
  switch (typeof value) {
    case 'string':
      return quoted(value)
    case 'number':
      return Number.isFinite(value) ? String(value) : undefined
    case 'boolean':
      return String(value)
    case 'object':
      return value === null ? 'null' : writeContainer(value, ancestors)
    default:
      return undefined
  }
}

function writeContainer(container: object, ancestors: Set<object>): string | undefined {
  if (ancestors.has(container) || ancestors.size === maxDepth) return undefined
  ancestors.add(container)
  const text = Array.isArray(container) ? writeArray(container, ancestors) : writeObject(container, ancestors)
  ancestors.delete(container)
  return text
}

function writeArray(array: readonly unknown[], ancestors: Set<object>): string | undefined {
  let text = '['
  for (let index = 0; index < array.length; index += 1) {
    const element = writeValue(withToJson(array[index], String(index)) ?? null, ancestors)
    if (element === undefined) return undefined
    text += index === 0 ? element : `,${element}`
  }
  return `${text}]`
}

function writeObject(object: object, ancestors: Set<object>): string | undefined {
  if (!isPlain(object)) return undefined
  let text = ''
  for (const name of sorted(Object.keys(object))) {
    const value = withToJson(object[name], name)
    if (value === undefined) continue
    const written = writeValue(value, ancestors)
    if (written === undefined) return undefined
    text += `${text === '' ? '{' : ','}${quoted(name)}:${written}`
  }
  return text === '' ? '{}' : `${text}}`
}

// Array's own sort is slow to start, and most objects are small.
function sorted(names: string[]): string[] {
  if (names.length > 16) return names.toSorted()
  for (let index = 1; index < names.length; index += 1) {
    const name = names[index] ?? ''
    let hole = index
    for (; hole > 0; hole -= 1) {
      const previous = names[hole - 1] ?? ''
      if (previous <= name) break
      names[hole] = previous
    }
    names[hole] = name
  }
  return names
}

// The class name of a plain object and of an instance of a class is Object; that of a Map is Map.
function isPlain(object: object): object is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(object)
  return (
    prototype === Object.prototype ||
    prototype === null ||
    Object.prototype.toString.call(object) === '[object Object]'
  )
}

// Quotes, backslashes, control characters, and surrogates, which may lack their other half.
const NOT_PLAIN = /[^ !#-[\]-\ud7ff\ue000-\uffff]/

function quoted(text: string): string {
  return NOT_PLAIN.test(text) ? JSON.stringify(text) : `"${text}"`
}

function withToJson(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !('toJSON' in value)) return value
  return typeof value.toJSON === 'function' ? value.toJSON(name) : value
}
