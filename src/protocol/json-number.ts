import { copyUpTo, type JsonText, write } from './json-text.ts'

/**
 * Reads a number, and writes it as JavaScript prints it, which is its canonical form (RFC 8785, section
 * 3.2.2.3). False for no number, and for one whose print is another decimal value than what was written.
 */
export function takeNumber(text: JsonText): boolean {
  return takePlainNumber(text) || takeAnyNumber(text)
}

const MINUS = 0x2d
const POINT = 0x2e
const ZERO = 0x30

/**
 * Most numbers are canonical as they are written, but for zeros at the end of a fraction: at most 15 digits always
 * survive a double, and from 0.000001 on they are printed without an exponent.
 */
function takePlainNumber(text: JsonText): boolean {
  const { bytes, position: start } = text
  const first = bytes[start] === MINUS ? start + 1 : start
  const wholeEnd = digitsEnd(bytes, first)
  const isFraction = bytes[wholeEnd] === POINT
  const end = isFraction ? digitsEnd(bytes, wholeEnd + 1) : wholeEnd
  const isBelowOne = bytes[first] === ZERO
  if (wholeEnd === first || end === wholeEnd + 1 || isExponent(bytes[end])) return false
  if (isBelowOne && wholeEnd > first + 1) return false

  const canonicalEnd = isFraction ? fractionEnd(bytes, wholeEnd, end) : end
  const digits = canonicalEnd - first - (canonicalEnd > wholeEnd ? 1 : 0)
  if (digits > 15) return false
  if (isBelowOne && canonicalEnd > wholeEnd && isTiny(bytes, wholeEnd + 1)) return false
  // Zero has no sign.
  if (isBelowOne && canonicalEnd === wholeEnd) text.position = first
  copyUpTo(text, canonicalEnd)
  text.position = end
  return true
}

/** Without the zeros at its end, nor the point if nothing else follows it. */
function fractionEnd(bytes: Uint8Array, point: number, end: number): number {
  let position = end
  while (bytes[position - 1] === ZERO) position -= 1
  return position === point + 1 ? point : position
}

/** 0.000001 is printed like this, and 0.0000001 as 1e-7. */
function isTiny(bytes: Uint8Array, fraction: number): boolean {
  for (let position = fraction; position < fraction + 6; position += 1) {
    if (bytes[position] !== ZERO) return false
  }
  return true
}

function digitsEnd(bytes: Uint8Array, start: number): number {
  let position = start
  while (isDigit(bytes[position])) position += 1
  return position
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte <= 0x39
}

function takeAnyNumber(text: JsonText): boolean {
  let end = text.position
  while (isOfNumber(text.bytes[end])) end += 1
  const source = text.bytes.toString('latin1', text.position, end)
  const value = Number(source)
  const printed = String(value)
  if (printed === source) copyUpTo(text, end)
  else {
    if (!NUMBER.test(source) || !isExact(source, value, printed)) return false
    text.position = end
    write(text, printed)
  }
  return true
}

function isOfNumber(byte: number | undefined): boolean {
  return isDigit(byte) || byte === MINUS || byte === POINT || byte === 0x2b || isExponent(byte)
}

function isExponent(byte: number | undefined): boolean {
  return byte === 0x65 || byte === 0x45
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

function isExact(source: string, value: number, printed: string): boolean {
  if (value === 0) return /^[-0.]+(?:[eE]|$)/.test(source)
  const magnitude = Math.abs(value)
  // At most 15 digits always survive a double, but for the very small and the very large.
  if (source.length <= 15 && magnitude > 1e-290 && magnitude < 1e290) return true
  return magnitude !== Infinity && decimalValue(printed) === decimalValue(source)
}

// The value without its sign, as an integer that does not end in 0 and a power of ten.
function decimalValue(number: string): string {
  const [mantissa = '', exponent = '0'] = number.replace('-', number.startsWith('-') ? '' : '-').split(/[eE]/)
  const [whole = '', fraction = ''] = mantissa.split('.')
  const digits = whole + fraction
  // By hand, since `/0+$/` is quadratic on a long run of zeros inside the digits.
  let start = 0
  let end = digits.length
  while (start < end && digits[start] === '0') start += 1
  while (end > start && digits[end - 1] === '0') end -= 1
  if (start === end) return '0'
  return `${digits.slice(start, end)}e${Number(exponent) - fraction.length + digits.length - end}`
}
