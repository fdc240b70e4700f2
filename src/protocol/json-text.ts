/**
 * A JSON text that is made canonical in place: what was written, a gap that may be empty, what is still to be
 * read, and a NUL, at which everything that reads stops.
 *
 * In place, since most texts are nearly canonical: as long as there is no gap, nothing has to be written.
 */
export type JsonText = {
  bytes: Buffer
  /** Where the next byte is read. */
  position: number
  /** Where the next byte is written: never after `position`. */
  end: number
  /** Where the NUL is. */
  limit: number
}

export const QUOTE = 0x22
export const BACKSLASH = 0x5c
export const COMMA = 0x2c
export const CLOSE_BRACE = 0x7d

export function emptyText(): JsonText {
  return { bytes: Buffer.alloc(0), position: 0, end: 0, limit: 0 }
}

/** The memory of the text before is taken again: to have a megabyte costs more than to fill it. */
export function begin(text: JsonText, source: Uint8Array): void {
  const isKept = text.bytes.length > source.length && text.bytes.length <= maxKeptBytes
  if (!isKept) text.bytes = Buffer.allocUnsafeSlow(source.length + 1)
  text.bytes.set(source)
  text.bytes[source.length] = 0
  text.position = 0
  text.end = 0
  text.limit = source.length
}

const maxKeptBytes = 1024 * 1024 + 1

export function isAtEnd(text: JsonText): boolean {
  skipWhitespace(text)
  return text.position === text.limit
}

export function skipWhitespace(text: JsonText): void {
  const { bytes } = text
  let { position } = text
  for (;;) {
    const byte = bytes[position]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break
    position += 1
  }
  text.position = position
}

/** Moves one byte that belongs to the canonical text, if it is the next one after whitespace. */
export function takeMark(text: JsonText, mark: number): boolean {
  skipWhitespace(text)
  if (text.bytes[text.position] !== mark) return false
  text.bytes[text.end] = mark
  text.position += 1
  text.end += 1
  return true
}

/** Moves what is canonical as it is written. */
export function copyUpTo(text: JsonText, readEnd: number): void {
  const { bytes } = text
  let { position, end } = text
  if (position === end) end = readEnd
  else {
    for (; position < readEnd; position += 1) {
      bytes[end] = bytes[position] ?? 0
      end += 1
    }
  }
  text.position = readEnd
  text.end = end
}

/** Writes ASCII, for which there may be no room in the gap. */
export function write(text: JsonText, ascii: string): void {
  if (text.end + ascii.length > text.position) widenGap(text, ascii.length)
  for (let index = 0; index < ascii.length; index += 1) text.bytes[text.end + index] = ascii.charCodeAt(index)
  text.end += ascii.length
}

/** By at least as much as there is, so that few such steps suffice. */
function widenGap(text: JsonText, bytes: number): void {
  const width = Math.max(bytes, text.limit)
  const wider = Buffer.allocUnsafeSlow(text.limit + 1 + width)
  text.bytes.copy(wider, 0, 0, text.end)
  text.bytes.copy(wider, text.position + width, text.position, text.limit + 1)
  text.bytes = wider
  text.position += width
  text.limit += width
}
