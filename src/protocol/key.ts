import { isRawKey, serializeString } from './key-form.ts'
import { parseStringItem } from './structured-field.ts'

/**
 * What a request's idempotency key turned out to be.
 *
 * `reason` is a clause without a full stop, such as "the key is blank", for a problem's `detail`. It never
 * repeats what the client sent.
 */
export type ParsedKey =
  | { kind: 'absent' }
  | { kind: 'key'; key: string }
  | { kind: 'malformed'; reason: string }

/**
 * Reads the key from the field lines of one header as they were received (none, one or several; not joined).
 *
 * A value that begins with `"` is a String Item with parameters, which are ignored (RFC 9651, section 4.2;
 * draft-ietf-httpapi-idempotency-key-header-07, section 2.1). It is parsed strictly and never read as raw
 * text instead. Any other value must be made of `A-Z a-z 0-9 . _ ~ : / + = @ -`, which is how most published
 * APIs send keys. `"k"` and `k` are one key. Keys are case-sensitive.
 *
 * A key that is malformed, empty, blank, too long or sent twice is `malformed`, never `absent`: to ignore it
 * would be to run an unprotected request for a client that believes it is protected.
 *
 * @param options.maxLength The longest key, in characters. A longer key is malformed, never truncated.
 * @example
 * parseKey(['"8e03978e-40d5-43e8-bc93-6894a57f9324"'], { maxLength: 255 })
 * // { kind: 'key', key: '8e03978e-40d5-43e8-bc93-6894a57f9324' }
 */
export function parseKey(lines: readonly string[], options: { maxLength: number }): ParsedKey {
  const [line] = lines
  if (line === undefined) return { kind: 'absent' }
  if (lines.length > 1) return malformed('the field was sent more than once')
  const value = trimOptionalWhitespace(line)
  if (value === '') return malformed('the value is empty')
  return value.startsWith('"') ? parseQuoted(value, options.maxLength) : parseRaw(value, options.maxLength)
}

/**
 * Checks a key that comes from elsewhere than the header: a member of the body, a webhook's id.
 *
 * Any Unicode text will do that is not blank, has no control character and no lone surrogate. The text is
 * the key as it stands: it is neither trimmed nor normalised. The result is never `absent`.
 *
 * @param options.maxLength The longest key, in UTF-16 code units (`key.length`).
 * @example
 * checkKey('evt_1NG8Du2eZvKYlo2C', { maxLength: 255 }) // { kind: 'key', key: 'evt_1NG8Du2eZvKYlo2C' }
 */
export function checkKey(key: string, options: { maxLength: number }): ParsedKey {
  if (key.length > options.maxLength) return tooLong(options.maxLength)
  if (key.trim() === '') return malformed('the key is empty or blank')
  if (/\p{Cc}/u.test(key)) return malformed('the key contains a control character')
  if (/\p{Cs}/u.test(key)) return malformed('the key contains half of a surrogate pair')
  return { kind: 'key', key }
}

/**
 * Writes a key as the value of an `Idempotency-Key` field: a String Item (RFC 9651, section 4.1.6).
 *
 * @throws TypeError if the key has a character other than printable ASCII and space: a String can't carry it.
 * @example
 * formatKey('order-17') // '"order-17"'
 */
export function formatKey(key: string): string {
  const value = serializeString(key)
  if (value === undefined) throw new TypeError('An idempotency key sent in a header must be printable ASCII.')
  return value
}

function parseQuoted(value: string, maxLength: number): ParsedKey {
  const key = parseStringItem(value)
  if (key === undefined)
    return malformed('the value begins with a double quote but is not an RFC 9651 String')
  if (key.trim() === '') return malformed('the key is empty or blank')
  if (key.length > maxLength) return tooLong(maxLength)
  return { kind: 'key', key }
}

function parseRaw(value: string, maxLength: number): ParsedKey {
  if (value.length > maxLength) return tooLong(maxLength)
  if (!isRawKey(value)) {
    return malformed('an unquoted key may contain only letters, digits and . _ ~ : / + = @ -')
  }
  return { kind: 'key', key: value }
}

// By hand: String.trim would also take characters that HTTP does not count as whitespace (U+00A0, which is
// what Node makes of the byte 0xA0), and `/[ \t]+$/` is quadratic on a long run of spaces inside the value.
function trimOptionalWhitespace(line: string): string {
  let start = 0
  let end = line.length
  while (start < end && isOptionalWhitespace(line[start])) start += 1
  while (end > start && isOptionalWhitespace(line[end - 1])) end -= 1
  return line.slice(start, end)
}

function isOptionalWhitespace(character: string | undefined): boolean {
  return character === ' ' || character === '\t'
}

function tooLong(maxLength: number): ParsedKey {
  return malformed(`the key is longer than ${maxLength} characters`)
}

function malformed(reason: string): ParsedKey {
  return { kind: 'malformed', reason }
}
