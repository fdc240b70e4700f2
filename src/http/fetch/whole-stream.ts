import type { UnderlyingSource } from 'node:stream/web'

/** Gives bytes that are all there. */
export function streamOf(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream(new Whole(bytes))
}

/** A class, where functions that close over the bytes would be made for each stream. */
class Whole implements UnderlyingSource<Uint8Array> {
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    if (this.#bytes.length > 0) controller.enqueue(this.#bytes)
    controller.close()
  }
}
