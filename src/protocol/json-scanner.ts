// Where the smallest pieces of a JSON text end (RFC 8259), and the one spelling of a number.

export const QUOTE = 0x22
const BACKSLASH = 0x5c
const ZERO = 0x30

export function whitespaceEnd(text: string, start: number): number {
  let position = start
  for (;;) {
    const code = text.charCodeAt(position)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return position
    position += 1
  }
}

/**
 * The end of the string literal that begins at `start`, or `FAILED` if none does. The end is negative
 * (`-end`) when the literal has still to be checked and respelt; otherwise it is valid and canonical.
 */
export function stringEnd(text: string, start: number): number {
  if (text.charCodeAt(start) !== QUOTE) return FAILED
  let canonical = true
  for (let position = start + 1; position < text.length; position += 1) {
    const code = text.charCodeAt(position)
    if (code === QUOTE) return canonical ? position + 1 : -(position + 1)
    if (code === BACKSLASH) {
      position += 1
      if (!isShortEscape(text.charCodeAt(position))) canonical = false
    } else if (code < 0x20 || (code >= 0xd800 && code <= 0xdfff)) {
      // A surrogate may lack its other half, which the canonical form escapes.
      canonical = false
    }
  }
  return FAILED
}

// No literal ends at 0.
export const FAILED = 0

// Those of `\" \\ \b \f \n \r \t`, which are canonical. `\/` and `\u0041` are not.
function isShortEscape(code: number): boolean {
  switch (code) {
    case QUOTE:
    case BACKSLASH:
    case 0x62:
    case 0x66:
    case 0x6e:
    case 0x72:
    case 0x74:
      return true
    default:
      return false
  }
}

/** The end of the number that begins at `start`, or `FAILED` if none does. */
export function numberEnd(text: string, start: number): number {
  NUMBER.lastIndex = start
  return NUMBER.test(text) ? NUMBER.lastIndex : FAILED
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y

/**
 * The number as JavaScript prints it, which is its canonical form (RFC 8785, section 3.2.2.3), or undefined
 * if what is printed is another decimal value than what was written.
 */
export function canonicalNumber(source: string): string | undefined {
  const value = Number(source)
  return isExact(source, value) ? String(value) : undefined
}

function isExact(source: string, value: number): boolean {
  if (value === 0) return /^[-0.]+(?:[eE]|$)/.test(source)
  const magnitude = Math.abs(value)
  // At most 15 digits always survive a double, but for the very small and the very large.
  if (source.length <= 15 && magnitude > 1e-290 && magnitude < 1e290) return true
  return magnitude !== Infinity && decimalValue(String(value)) === decimalValue(source)
}

/**
 * The end of a number that is canonical as it is written, which most are; `FAILED` for any other text.
 *
 * At most 15 digits always survive a double, and one of this size is printed without an exponent.
 */
export function canonicalNumberEnd(text: string, start: number): number {
  const first = text.charCodeAt(start) === 0x2d ? start + 1 : start
  const wholeEnd = digitsEnd(text, first)
  const isZero = text.charCodeAt(first) === ZERO
  if (wholeEnd === first || (isZero && wholeEnd > first + 1)) return FAILED
  let end = wholeEnd
  if (text.charCodeAt(end) === 0x2e) {
    end = digitsEnd(text, wholeEnd + 1)
    if (end === wholeEnd + 1 || text.charCodeAt(end - 1) === ZERO) return FAILED
    if (isZero && text.charCodeAt(wholeEnd + 1) === ZERO) return FAILED
  } else if (isZero && first > start) {
    return FAILED
  }
  const next = text.charCodeAt(end)
  return end - first > 15 || next === 0x65 || next === 0x45 ? FAILED : end
}

function digitsEnd(text: string, start: number): number {
  let position = start
  for (;;) {
    const code = text.charCodeAt(position)
    if (!(code >= 0x30 && code <= 0x39)) return position
    position += 1
  }
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
