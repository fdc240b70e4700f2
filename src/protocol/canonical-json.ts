import { isUtf8 } from 'node:buffer'
import { JsonMembers } from './json-members.ts'
import { takeNumber } from './json-number.ts'
import { takeString } from './json-string.ts'
import {
  begin,
  CLOSE_BRACE,
  COMMA,
  copyUpTo,
  emptyText,
  isAtEnd,
  type JsonText,
  QUOTE,
  skipWhitespace,
  takeMark,
} from './json-text.ts'

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
 * The bytes of the form are lent: the next call overwrites them.
 *
 * @example
 * canonicalJson(Buffer.from('{ "b": 1.0, "a": "\\u0041" }'))?.toString() // '{"a":"A","b":1}'
 */
export function canonicalJson(bytes: Uint8Array): Buffer | undefined {
  // What is not UTF-8 has no characters to be compared.
  if (!isUtf8(bytes)) return undefined
  const { text, members } = onlyReader
  begin(text, bytes)
  members.clear()
  return takeValue(onlyReader, 0) && isAtEnd(text) ? members.ordered() : undefined
}

/** How deep arrays and objects may be nested. */
export const maxDepth = 1000

type Reader = {
  readonly text: JsonText
  readonly members: JsonMembers
}

/** Texts are read one after the other, in the same memory. */
const onlyReader = newReader()

function newReader(): Reader {
  const text = emptyText()
  return { text, members: new JsonMembers(text) }
}

const COLON = 0x3a
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const OPEN_BRACE = 0x7b

/** As all that takes: reads it and writes its canonical form, or returns false where it has none. */
function takeValue(reader: Reader, depth: number): boolean {
  const { text } = reader
  skipWhitespace(text)
  switch (text.bytes[text.position]) {
    case QUOTE:
      return takeString(text)
    case OPEN_BRACE:
      return depth !== maxDepth && takeObject(reader, depth + 1)
    case OPEN_BRACKET:
      return depth !== maxDepth && takeArray(reader, depth + 1)
    case 0x74:
      return takeWord(text, 'true')
    case 0x66:
      return takeWord(text, 'false')
    case 0x6e:
      return takeWord(text, 'null')
    default:
      return takeNumber(text)
  }
}

function takeObject(reader: Reader, depth: number): boolean {
  const { text, members } = reader
  takeMark(text, OPEN_BRACE)
  if (takeMark(text, CLOSE_BRACE)) return true
  const begun = members.beginObject()
  do {
    skipWhitespace(text)
    const start = text.end
    if (!takeString(text)) return false
    members.add(start)
    if (!takeMark(text, COLON) || !takeValue(reader, depth)) return false
  } while (takeMark(text, COMMA))
  return takeMark(text, CLOSE_BRACE) && members.endObject(begun, depth)
}

function takeArray(reader: Reader, depth: number): boolean {
  const { text } = reader
  takeMark(text, OPEN_BRACKET)
  if (takeMark(text, CLOSE_BRACKET)) return true
  do {
    if (!takeValue(reader, depth)) return false
  } while (takeMark(text, COMMA))
  return takeMark(text, CLOSE_BRACKET)
}

function takeWord(text: JsonText, word: string): boolean {
  for (let index = 0; index < word.length; index += 1) {
    if (text.bytes[text.position + index] !== word.charCodeAt(index)) return false
  }
  copyUpTo(text, text.position + word.length)
  return true
}
