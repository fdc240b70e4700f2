import { maxDepth, type Member, objectLike, objectOf, type Shape, shapeOf } from './canonical-object.ts'
import {
  canonicalNumber,
  canonicalNumberEnd,
  FAILED,
  numberEnd,
  QUOTE,
  stringEnd,
  whitespaceEnd,
} from './json-scanner.ts'

/**
 * The canonical form of a JSON text (RFC 8785): members sorted, no whitespace, one spelling for each number
 * and string. Two texts have one canonical form exactly when they have the same value.
 *
 * Undefined where the text has no such form:
 * - it isn't valid JSON: exactly what `JSON.parse` refuses;
 * - an object has a member twice, since parsers differ on which one counts;
 * - a number isn't the one that a double holds and prints (`9007199254740993`, `1e400`), since parsing would
 *   make it equal to another. `1`, `1.0` and `1e0` are one value;
 * - arrays and objects are nested more than 1,000 deep.
 *
 * RFC 8785 has no form for a string with half of a surrogate pair. Here the half is escaped (`\ud800`), as
 * `JSON.stringify` does, so that such a string still has a form and still differs from every other.
 *
 * @example
 * canonicalJson('{ "b": 1.0, "a": "\\u0041" }') // '{"a":"A","b":1}'
 */
export function canonicalJson(text: string): string | undefined {
  const reader: Reader = { text, position: 0, shapes: [] }
  const canonical = readValue(reader, 0)
  return canonical !== undefined && whitespaceEnd(text, reader.position) === text.length
    ? canonical
    : undefined
}

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

// ---- From a text. A reading function returns undefined where there is no canonical form.

type Reader = {
  readonly text: string
  position: number
  /** The object read last, by depth. In a long list each is like the one before. */
  readonly shapes: Array<Shape | undefined>
}

const COMMA = 0x2c
const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d

function readValue(reader: Reader, depth: number): string | undefined {
  reader.position = whitespaceEnd(reader.text, reader.position)
  switch (reader.text.charCodeAt(reader.position)) {
    case QUOTE:
      return readString(reader)
    case OPEN_BRACE:
      return depth === maxDepth ? undefined : readObject(reader, depth + 1)
    case OPEN_BRACKET:
      return depth === maxDepth ? undefined : readArray(reader, depth + 1)
    case 0x74:
      return readWord(reader, 'true')
    case 0x66:
      return readWord(reader, 'false')
    case 0x6e:
      return readWord(reader, 'null')
    default:
      return readNumber(reader)
  }
}

function readObject(reader: Reader, depth: number): string | undefined {
  const expected = reader.shapes[depth]
  const values: string[] = []
  /** From the first name that was not expected. */
  let names: string[] | undefined
  reader.position += 1
  if (readMark(reader, CLOSE_BRACE)) return '{}'
  do {
    reader.position = whitespaceEnd(reader.text, reader.position)
    const name = names === undefined ? expected?.names[values.length] : undefined
    // A name in its canonical spelling, with its quotes: the reader need not look at its characters.
    if (name !== undefined && reader.text.startsWith(name, reader.position)) reader.position += name.length
    else {
      const literal = readString(reader)
      if (literal === undefined) return undefined
      names ??= expected?.names.slice(0, values.length) ?? []
      names.push(literal)
    }
    if (!readMark(reader, COLON)) return undefined
    const value = readValue(reader, depth)
    if (value === undefined) return undefined
    values.push(value)
  } while (readMark(reader, COMMA))
  if (!readMark(reader, CLOSE_BRACE)) return undefined
  if (names === undefined && expected?.names.length === values.length) return objectLike(expected, values)
  const shape = shapeOf(names ?? expected?.names.slice(0, values.length) ?? [])
  if (shape === undefined) return undefined
  reader.shapes[depth] = shape
  return objectLike(shape, values)
}

function readArray(reader: Reader, depth: number): string | undefined {
  reader.position += 1
  if (readMark(reader, CLOSE_BRACKET)) return '[]'
  let text = ''
  do {
    const value = readValue(reader, depth)
    if (value === undefined) return undefined
    text += text === '' ? `[${value}` : `,${value}`
  } while (readMark(reader, COMMA))
  return readMark(reader, CLOSE_BRACKET) ? `${text}]` : undefined
}

function readMark(reader: Reader, mark: number): boolean {
  const position = whitespaceEnd(reader.text, reader.position)
  reader.position = position
  if (reader.text.charCodeAt(position) !== mark) return false
  reader.position = position + 1
  return true
}

function readWord(reader: Reader, word: string): string | undefined {
  if (!reader.text.startsWith(word, reader.position)) return undefined
  reader.position += word.length
  return word
}

function readNumber(reader: Reader): string | undefined {
  const start = reader.position
  const canonicalEnd = canonicalNumberEnd(reader.text, start)
  reader.position = canonicalEnd === FAILED ? numberEnd(reader.text, start) : canonicalEnd
  if (reader.position === FAILED) return undefined
  const source = reader.text.slice(start, reader.position)
  return canonicalEnd === FAILED ? canonicalNumber(source) : source
}

function readString(reader: Reader): string | undefined {
  const start = reader.position
  const end = stringEnd(reader.text, start)
  if (end === FAILED) return undefined
  reader.position = Math.abs(end)
  const literal = reader.text.slice(start, reader.position)
  return end < 0 ? respell(literal) : literal
}

function respell(literal: string): string | undefined {
  try {
    return JSON.stringify(JSON.parse(literal))
  } catch {
    return undefined
  }
}

// ---- From a value. `ancestors` are the arrays and objects that the value is inside of.

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
