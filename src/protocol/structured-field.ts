import { isUtf8 } from 'node:buffer'

/**
 * Parses a value that begins with `"` as an Item whose bare item is a String (RFC 9651, sections 4.2, 4.2.3
 * and 4.2.5). Returns the String, or undefined where the RFC says that parsing fails.
 *
 * Parameters are checked for syntax and then ignored, since section 2 discourages refusing unknown ones.
 * The time taken is linear in the length of the input.
 */
export function parseStringItem(input: string): string | undefined {
  const end = stringEnd(input, 0)
  if (end === FAILED) return undefined
  const afterParameters = parametersEnd(input, end)
  if (afterParameters === FAILED) return undefined
  if (skipSpaces(input, afterParameters) !== input.length) return undefined
  return input.slice(1, end - 1).replace(/\\(["\\])/g, '$1')
}

// Each function below takes the position where something begins and returns the position after its end.
const FAILED = -1
const QUOTE = 0x22
const BACKSLASH = 0x5c

function stringEnd(input: string, start: number): number {
  for (let position = start + 1; position < input.length; position += 1) {
    const code = input.charCodeAt(position)
    if (code === QUOTE) return position + 1
    if (code < 0x20 || code > 0x7e) return FAILED
    if (code !== BACKSLASH) continue
    position += 1
    const escaped = input.charCodeAt(position)
    if (escaped !== QUOTE && escaped !== BACKSLASH) return FAILED
  }
  return FAILED
}

function parametersEnd(input: string, start: number): number {
  let position = start
  while (input[position] === ';') {
    position = matchEnd(PARAMETER_KEY, input, skipSpaces(input, position + 1))
    if (position === FAILED) return FAILED
    if (input[position] !== '=') continue
    position = bareItemEnd(input, position + 1)
    if (position === FAILED) return FAILED
  }
  return position
}

function bareItemEnd(input: string, start: number): number {
  switch (input[start]) {
    case '"':
      return stringEnd(input, start)
    case ':':
      return byteSequenceEnd(input, start)
    case '%':
      return displayStringEnd(input, start)
    default:
      return matchEnd(SIMPLE_BARE_ITEM, input, start)
  }
}

function byteSequenceEnd(input: string, start: number): number {
  const end = matchEnd(BYTE_SEQUENCE, input, start)
  if (end === FAILED) return FAILED
  return isBase64(input.slice(start + 1, end - 1)) ? end : FAILED
}

// Section 4.2.7 lets padding be absent, but not wrong.
function isBase64(content: string): boolean {
  const padding = content.length % 4 === 0 ? (content.endsWith('==') ? 2 : content.endsWith('=') ? 1 : 0) : 0
  const digits = content.slice(0, content.length - padding)
  return !digits.includes('=') && digits.length % 4 !== 1
}

function displayStringEnd(input: string, start: number): number {
  const end = matchEnd(DISPLAY_STRING, input, start)
  if (end === FAILED) return FAILED
  const bytes = Buffer.from(
    input
      .slice(start + 2, end - 1)
      .replace(/%(..)/g, (_, hex: string) => String.fromCharCode(Number(`0x${hex}`))),
    'latin1',
  )
  return isUtf8(bytes) ? end : FAILED
}

function skipSpaces(input: string, start: number): number {
  let position = start
  while (input[position] === ' ') position += 1
  return position
}

// Sticky patterns: they match at one position or not at all. No pattern can match one text in two ways, so
// that a hostile value costs no more than its length. Too many digits need no rule of their own: the match
// ends early, and what follows is then not a parameter.
const PARAMETER_KEY = /[a-z*][a-z0-9_.*-]*/y
const SIMPLE_BARE_ITEM = /-?\d{1,12}\.\d{1,3}|@?-?\d{1,15}|\?[01]|[A-Za-z*][!#$%&'*+.^_`|~:/A-Za-z0-9-]*/y
const BYTE_SEQUENCE = /:[A-Za-z0-9+/=]*:/y
const DISPLAY_STRING = /%"(?:[\x20-\x21\x23-\x24\x26-\x7e]|%[0-9a-f]{2})*"/y

function matchEnd(pattern: RegExp, input: string, start: number): number {
  pattern.lastIndex = start
  return pattern.test(input) ? pattern.lastIndex : FAILED
}
