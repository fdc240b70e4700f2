import { BACKSLASH, type JsonText, QUOTE } from './json-text.ts'

/**
 * Reads a string literal, and writes it as `JSON.stringify` does, which is its canonical form. False for no
 * literal.
 */
export function takeString(text: JsonText): boolean {
  if (text.bytes[text.position] !== QUOTE) return false
  copyByte(text)
  for (;;) {
    takePlain(text)
    const byte = text.bytes[text.position]
    if (byte === QUOTE) {
      copyByte(text)
      return true
    }
    if (byte !== BACKSLASH || !takeEscape(text)) return false
  }
}

/** Up to a quote, a backslash or what may not be in a string. */
function takePlain(text: JsonText): void {
  const { bytes } = text
  let { position, end } = text
  if (position === end) {
    while (isPlain(bytes[position] ?? 0)) position += 1
    end = position
  } else {
    for (; isPlain(bytes[position] ?? 0); position += 1) bytes[end++] = bytes[position] ?? 0
  }
  text.position = position
  text.end = end
}

function isPlain(byte: number): boolean {
  return byte > BACKSLASH || (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH)
}

function copyByte(text: JsonText): void {
  text.bytes[text.end] = text.bytes[text.position] ?? 0
  text.position += 1
  text.end += 1
}

function takeEscape(text: JsonText): boolean {
  switch (text.bytes[text.position + 1]) {
    case QUOTE:
    case BACKSLASH:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      copyByte(text)
      copyByte(text)
      return true
    case 0x2f:
      text.position += 1
      copyByte(text)
      return true
    case 0x75:
      return takeCodeUnit(text)
    default:
      return false
  }
}

/** `\u0041`, and both halves of a surrogate pair. No spelling of a character is longer than this one. */
function takeCodeUnit(text: JsonText): boolean {
  const unit = codeUnit(text.bytes, text.position)
  if (unit === NONE) return false
  text.position += 6
  if (unit < 0xd800 || unit > 0xdfff) {
    writeCharacter(text, unit)
    return true
  }
  const next = unit < 0xdc00 ? codeUnit(text.bytes, text.position) : NONE
  if (next >= 0xdc00 && next <= 0xdfff) {
    text.position += 6
    writeText(text, String.fromCharCode(unit, next))
  } else {
    writeText(text, `\\u${unit.toString(16)}`)
  }
  return true
}

/** In bytes, since some clients escape every character that is not ASCII. */
function writeCharacter(text: JsonText, unit: number): void {
  const { bytes } = text
  if (unit < 0x80) {
    if (isPlain(unit)) bytes[text.end++] = unit
    else writeText(text, JSON.stringify(String.fromCharCode(unit)).slice(1, -1))
  } else if (unit < 0x800) {
    bytes[text.end++] = 0xc0 | (unit >> 6)
    bytes[text.end++] = 0x80 | (unit & 0x3f)
  } else {
    bytes[text.end++] = 0xe0 | (unit >> 12)
    bytes[text.end++] = 0x80 | ((unit >> 6) & 0x3f)
    bytes[text.end++] = 0x80 | (unit & 0x3f)
  }
}

function writeText(text: JsonText, characters: string): void {
  text.end += text.bytes.write(characters, text.end)
}

const NONE = -1

function codeUnit(bytes: Uint8Array, start: number): number {
  if (bytes[start] !== BACKSLASH || bytes[start + 1] !== 0x75) return NONE
  let unit = 0
  for (let position = start + 2; position < start + 6; position += 1) {
    const digit = hexDigit(bytes[position] ?? 0)
    if (digit === NONE) return NONE
    unit = unit * 16 + digit
  }
  return unit
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : NONE
}
