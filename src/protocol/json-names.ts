import { BACKSLASH } from './json-text.ts'

/** Compares two canonical string literals, given without their quotes, by UTF-16 code units, as RFC 8785 sorts. */
export function compareNames(
  bytes: Buffer,
  start: number,
  length: number,
  otherStart: number,
  otherLength: number,
): number {
  const shorter = Math.min(length, otherLength)
  for (let offset = 0; offset < shorter; offset += 1) {
    const byte = bytes[start + offset] ?? 0
    const other = bytes[otherStart + offset] ?? 0
    if (byte === BACKSLASH || other === BACKSLASH) {
      return compareStrings(nameOf(bytes, start, length), nameOf(bytes, otherStart, otherLength))
    }
    if (byte !== other) return isAcrossSurrogates(byte, other) ? other - byte : byte - other
  }
  return length - otherLength
}

/** What is above U+FFFF begins with a surrogate in UTF-16, and comes before U+E000 there, but after U+FFFF in UTF-8. */
function isAcrossSurrogates(byte: number, other: number): boolean {
  return byte >= 0xee && other >= 0xee && byte >= 0xf0 !== other >= 0xf0
}

function compareStrings(name: string, other: string): number {
  return name < other ? -1 : name > other ? 1 : 0
}

// One at a time: JSON.parse of Node 24.21 mistakes one name for another in an object that has certain escapes.
function nameOf(bytes: Buffer, start: number, length: number): string {
  return String(JSON.parse(bytes.toString('utf8', start - 1, start + length + 1)))
}
