/**
 * The stream that a handler pipes into its response. One that closes before its end will never call `end`:
 * `sendFile` destroys its file when the client leaves.
 */
export class PipedSource {
  readonly #onBroke: () => void
  #current: NodeJS.ReadableStream | undefined
  #broke = false

  constructor(onBroke: () => void) {
    this.#onBroke = onBroke
  }

  get broke(): boolean {
    return this.#broke
  }

  /** @param source What Node's `pipe` event names: the stream that writes from now on. */
  begin(source: unknown): void {
    const readable = source as NodeJS.ReadableStream & { readonly readableEnded?: boolean }
    this.#current = readable
    readable.once('close', () => {
      if (readable.readableEnded === true) return
      // A handler may put another source in its place.
      setImmediate(() => {
        if (this.#current !== readable) return
        this.#broke = true
        this.#onBroke()
      })
    })
  }

  end(): void {
    this.#current = undefined
  }
}
