/** What the heap keeps in order. It remembers its own place, so that its expiry can change in O(log n). */
export interface Expiring {
  expiresAtMs: number
  heapIndex: number
}

/** A binary heap with the entry that expires first on top. */
export class ExpiryHeap<Entry extends Expiring> {
  readonly #entries: Entry[] = []

  first(): Entry | undefined {
    return this.#entries[0]
  }

  add(entry: Entry): void {
    this.#entries.push(entry)
    this.#rise(entry, this.#entries.length - 1)
  }

  /** Must be called after `entry.expiresAtMs` was changed. */
  moved(entry: Entry): void {
    this.#rise(entry, entry.heapIndex)
    this.#sink(entry, entry.heapIndex)
  }

  remove(entry: Entry): void {
    const last = this.#entries.pop()
    if (last === undefined || last === entry) return
    this.#place(last, entry.heapIndex)
    this.moved(last)
  }

  #rise(entry: Entry, from: number): void {
    let index = from
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = this.#entries[parentIndex]
      if (parent === undefined || parent.expiresAtMs <= entry.expiresAtMs) break
      this.#place(parent, index)
      index = parentIndex
    }
    this.#place(entry, index)
  }

  #sink(entry: Entry, from: number): void {
    let index = from
    for (;;) {
      const child = this.#earlierChild(index)
      if (child === undefined || child.expiresAtMs >= entry.expiresAtMs) break
      const childIndex = child.heapIndex
      this.#place(child, index)
      index = childIndex
    }
    this.#place(entry, index)
  }

  #earlierChild(index: number): Entry | undefined {
    const left = this.#entries[2 * index + 1]
    const right = this.#entries[2 * index + 2]
    return left !== undefined && right !== undefined && right.expiresAtMs < left.expiresAtMs ? right : left
  }

  #place(entry: Entry, index: number): void {
    this.#entries[index] = entry
    entry.heapIndex = index
  }
}
