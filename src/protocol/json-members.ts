import { compareNames } from './json-names.ts'
import { CLOSE_BRACE, COMMA, type JsonText } from './json-text.ts'

/**
 * The members of the objects in a canonical text, and the order in which they belong there. They are put in that
 * order once, at the end and all together: to move the members of each object would copy a deep text at each level.
 *
 * The text is in pieces. One begins at each member, and one after each object; it ends where the next one begins.
 * The pieces of an object that is in order, as are all objects in it, are forgotten again.
 */
export class JsonMembers {
  readonly #text: JsonText
  /** By piece: where it begins, and which piece comes after it. The first begins at 0. */
  #starts = new Int32Array(fewPieces)
  #next = new Int32Array(fewPieces)
  #pieces = 1
  /** The members of the objects that are being read: as pieces, and where their names end. */
  #open = new Int32Array(fewPieces)
  #nameEnds = new Int32Array(fewPieces)
  #openMembers = 0
  /** By depth: the order of the last object that was out of order. In a list, the next one is often like it. */
  #orders: Array<readonly number[] | undefined> = []
  #ordered = Buffer.alloc(0)

  constructor(text: JsonText) {
    this.#text = text
  }

  /** Before a text is read. */
  clear(): void {
    this.#pieces = 1
    this.#next[0] = 1
    this.#openMembers = 0
    this.#orders = []
  }

  /** Returns what `endObject` takes. */
  beginObject(): number {
    return this.#openMembers
  }

  /** A member whose name, with its quotes, is the end of the text as yet. */
  add(start: number): void {
    // The piece after an object is open for a moment too.
    if (this.#openMembers + 2 > this.#open.length) {
      this.#open = longer(this.#open)
      this.#nameEnds = longer(this.#nameEnds)
    }
    this.#open[this.#openMembers] = this.#addPiece(start)
    this.#nameEnds[this.#openMembers] = this.#text.end
    this.#openMembers += 1
  }

  /** The object is the end of the text as yet. False when a name occurs in it twice. */
  endObject(begun: number, depth: number): boolean {
    const members = this.#openMembers - begun
    const first = this.#open[begun] ?? 0
    this.#openMembers = begun
    if (this.#isInOrder(begun, members)) {
      if (this.#pieces === first + members) this.#pieces = first
      return true
    }
    const order = this.#orderOf(begun, members, depth)
    if (order === undefined) return false
    this.#open[begun + members] = this.#addPiece(this.#text.end)
    this.#link(begun, order)
    return true
  }

  /** The text with all members in order. The bytes are lent: what is read next overwrites them. */
  ordered(): Buffer {
    const { bytes, end } = this.#text
    if (this.#pieces === 1) return bytes.subarray(0, end)
    const last = this.#addPiece(end)
    const starts = this.#starts
    const next = this.#next
    if (this.#ordered.length < end) this.#ordered = Buffer.allocUnsafeSlow(end)
    const ordered = this.#ordered
    let written = 0
    for (let piece = 0; piece !== last; piece = next[piece] ?? last) {
      written = copy(bytes, starts[piece] ?? end, starts[piece + 1] ?? end, ordered, written)
    }
    return ordered.subarray(0, end)
  }

  #addPiece(start: number): number {
    const piece = this.#pieces
    if (piece === this.#starts.length) {
      this.#starts = longer(this.#starts)
      this.#next = longer(this.#next)
    }
    this.#starts[piece] = start
    this.#next[piece] = piece + 1
    this.#pieces = piece + 1
    return piece
  }

  #isInOrder(begun: number, members: number): boolean {
    for (let index = begun + 1; index < begun + members; index += 1) {
      if (this.#compare(index - 1, index) >= 0) return false
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
    let previous = order[0] ?? 0
    for (let position = 1; position < order.length; position += 1) {
      const index = order[position] ?? 0
      if (this.#compare(begun + previous, begun + index) >= 0) return false
      previous = index
    }
    return true
  }

  #sorted(begun: number, members: number): number[] {
    const order: number[] = []
    for (let index = 0; index < members; index += 1) order.push(index)
    // Array's own sort is slow to start, and most objects are small.
    if (members > 16) return order.toSorted((a, b) => this.#compare(begun + a, begun + b))
    for (let index = 1; index < members; index += 1) {
      let hole = index
      for (; hole > 0; hole -= 1) {
        const previous = order[hole - 1] ?? 0
        if (this.#compare(begun + previous, begun + index) <= 0) break
        order[hole] = previous
      }
      order[hole] = index
    }
    return order
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
    const start = (this.#starts[this.#open[a] ?? 0] ?? 0) + 1
    const otherStart = (this.#starts[this.#open[b] ?? 0] ?? 0) + 1
    const length = (this.#nameEnds[a] ?? 0) - 1 - start
    const otherLength = (this.#nameEnds[b] ?? 0) - 1 - otherStart
    return compareNames(this.#text.bytes, start, length, otherStart, otherLength)
  }
}

const fewPieces = 64

function longer(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const doubled = new Int32Array(array.length * 2)
  doubled.set(array)
  return doubled
}

/** Most pieces are short, and a loop copies those faster than Node does. */
function copy(bytes: Buffer, start: number, end: number, target: Buffer, targetStart: number): number {
  let written = targetStart
  for (let position = start; position < end; position += 1) {
    target[written] = bytes[position] ?? 0
    written += 1
  }
  return written
}
