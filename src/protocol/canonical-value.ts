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
  const members: Member[] = []
  for (const name of Object.keys(object)) {
    const value = withToJson(object[name], name)
    if (value === undefined) continue
    const text = writeValue(value, ancestors)
    if (text === undefined) return undefined
    members.push({ name, text: `${quoted(name)}:${text}` })
  }
  return objectOf(members)
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

/**
 * The canonical text of an object, or undefined when a name occurs twice.
 *
 * Pieces are added to a string, not joined: JavaScript builds such a string lazily, while a join at each of
 * 1,000 levels would copy a deep document 1,000 times.
 */
function objectOf(members: Member[]): string | undefined {
  sortByName(members)
  let text = ''
  let previous: string | undefined
  for (const member of members) {
    if (member.name === previous) return undefined
    text += previous === undefined ? `{${member.text}` : `,${member.text}`
    previous = member.name
  }
  return text === '' ? '{}' : `${text}}`
}

/** The canonical text of one member (`"name":value`), beside the name that it is sorted by. */
type Member = { name: string; text: string }

// Array.sort is slow to start, and most objects are small.
function sortByName(members: Member[]): void {
  if (members.length > 16) {
    members.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
    return
  }
  for (const [index, member] of members.entries()) {
    let hole = index
    for (; hole > 0; hole -= 1) {
      const previous = members[hole - 1]
      if (previous === undefined || previous.name <= member.name) break
      members[hole] = previous
    }
    members[hole] = member
  }
}
