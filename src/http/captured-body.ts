import { joined } from './joined.ts'

/** A copy of an answer's body, up to a limit. */
export class CapturedBody {
  readonly #maxBytes: number
  #chunks: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Larger than the limit: nothing of it is kept. */
  get overflowed(): boolean {
    return this.#bytes > this.#maxBytes
  }

  add(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.overflowed) this.#chunks = []
    else this.#chunks.push(chunk)
  }

  bytes(): Buffer {
    return joined(this.#chunks)
  }

  drop(): void {
    this.#chunks = []
  }
}
