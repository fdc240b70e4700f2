import { BACKSLASH, CLOSE_BRACE, COMMA, type JsonText } from './json-text.ts'

/**
 * The members of the objects in a canonical text, and the order in which they belong there. They are put in that
 * order once, at the end and all together: to move the members of each object would copy a deep text at each level.
 *
 * The text is in pieces. One begins at each member, and one after each object; it ends where the next one begins.
 * The pieces of an object that is in order, as are all objects in it, are forgotten again.
 */
export class JsonMembers {
  readonly #text: JsonText
  /** By piece: where it begins, where the name in it ends, and which piece comes after it. */
  readonly #starts: number[] = [0]
  readonly #nameEnds: number[] = [0]
  readonly #next: number[] = [1]
  #count = 1
  /** The members of the objects that are being read, as pieces. */
  readonly #open: number[] = []
  #openCount = 0
  /** By depth: the order of the last object that was out of order. In a list, the next one is often like it. */
  readonly #orders: Array<readonly number[] | undefined> = []

  constructor(text: JsonText) {
    this.#text = text
  }

  /** Returns what `endObject` takes. */
  beginObject(): number {
    return this.#openCount
  }

  /** A member whose name, with its quotes, is the end of the text as yet. */
  add(start: number): void {
    this.#open[this.#openCount] = this.#addPiece(start)
    this.#openCount += 1
  }

  /** The object is the end of the text as yet. False when a name occurs in it twice. */
  endObject(begun: number, depth: number): boolean {
    const members = this.#openCount - begun
    const first = this.#open[begun] ?? 0
    this.#openCount = begun
    if (this.#isInOrder(begun, members)) {
      if (this.#count === first + members) this.#count = first
      return true
    }
    const order = this.#orderOf(begun, members, depth)
    if (order === undefined) return false
    this.#open[begun + members] = this.#addPiece(this.#text.end)
    this.#link(begun, order)
    return true
  }

  /** The text with all members in order. */
  ordered(): Buffer {
    const { bytes, end } = this.#text
    const starts = this.#starts
    const count = this.#count
    if (count === 1) return bytes.subarray(0, end)
    starts[count] = end
    const ordered = Buffer.allocUnsafe(end)
    let written = 0
    for (let piece = 0; piece !== count; piece = this.#next[piece] ?? count) {
      const pieceEnd = starts[piece + 1] ?? end
      for (let position = starts[piece] ?? end; position < pieceEnd; position += 1) {
        ordered[written] = bytes[position] ?? 0
        written += 1
      }
    }
    return ordered
  }

  #addPiece(start: number): number {
    const piece = this.#count
    this.#starts[piece] = start
    this.#nameEnds[piece] = this.#text.end
    this.#next[piece] = piece + 1
    this.#count = piece + 1
    return piece
  }

  #isInOrder(begun: number, members: number): boolean {
    for (let index = begun + 1; index < begun + members; index += 1) {
      if (this.#compare(this.#open[index - 1] ?? 0, this.#open[index] ?? 0) >= 0) return false
    }
    return true
  }

  #orderOf(begun: number, members: number, depth: number): readonly number[] | undefined {
    const known = this.#orders[depth]
    if (known?.length === members && this.#isOrder(known, begun)) return known
    const order = this.#sorted(begun, members)
    if (!this.#isOrder(order, begun)) return undefined
    this.#orders[depth] = order
    return order
  }

  #isOrder(order: readonly number[], begun: number): boolean {
    let previous = this.#open[begun + (order[0] ?? 0)] ?? 0
    for (let position = 1; position < order.length; position += 1) {
      const piece = this.#open[begun + (order[position] ?? 0)] ?? 0
      if (this.#compare(previous, piece) >= 0) return false
      previous = piece
    }
    return true
  }

  #sorted(begun: number, members: number): number[] {
    const order = Array.from({ length: members }, (_, index) => index)
    return order.sort((a, b) => this.#compare(this.#open[begun + a] ?? 0, this.#open[begun + b] ?? 0))
  }

  /** A member ends with a comma, or as the last one with the brace: they change places with their members. */
  #link(begun: number, order: readonly number[]): void {
    let last = (this.#open[begun] ?? 0) - 1
    for (let position = 0; position < order.length; position += 1) {
      const index = begun + (order[position] ?? 0)
      const after = this.#open[index + 1] ?? 0
      this.#next[last] = this.#open[index] ?? 0
      this.#text.bytes[(this.#starts[after] ?? 0) - 1] = position === order.length - 1 ? CLOSE_BRACE : COMMA
      last = after - 1
    }
    this.#next[last] = this.#open[begun + order.length] ?? 0
  }

  #compare(a: number, b: number): number {
    const start = (this.#starts[a] ?? 0) + 1
    const otherStart = (this.#starts[b] ?? 0) + 1
    const length = (this.#nameEnds[a] ?? 0) - 1 - start
    const otherLength = (this.#nameEnds[b] ?? 0) - 1 - otherStart
    return compareNames(this.#text.bytes, start, length, otherStart, otherLength)
  }
}

/** By UTF-16 code units, as RFC 8785 sorts. Without their quotes. */
function compareNames(
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
    // In UTF-16, what is above U+FFFF begins with a surrogate, and comes before U+E000.
    if (byte !== other)
      return byte >= 0xee && other >= 0xee && byte >= 0xf0 !== other >= 0xf0 ? other - byte : byte - other
  }
  return length - otherLength
}

function compareStrings(name: string, other: string): number {
  return name < other ? -1 : name > other ? 1 : 0
}

function nameOf(bytes: Buffer, start: number, length: number): string {
  return String(JSON.parse(bytes.toString('utf8', start - 1, start + length + 1)))
}
