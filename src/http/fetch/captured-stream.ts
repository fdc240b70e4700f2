import type { Finished } from '../../core/lease.ts'
import type { TombstoneReason } from '../../core/record.ts'
import type { CapturedBody } from '../captured-body.ts'
import { WithheldBytes } from '../withheld-bytes.ts'
import type { Early, Reader } from './capture.ts'

export interface StreamSource {
  readonly reader: Reader
  /** Holds the early chunks already. */
  readonly body: CapturedBody
  readonly early: Early
  readonly declaredBytes: number | undefined
  readonly clientGone: AbortSignal
  /** Records what was captured, or its tombstone. */
  finish(reason: TombstoneReason | undefined): Promise<Finished>
  keepAlive(work: Promise<unknown>): void
}

/** A body on its way to its client: goes out as it comes, is copied up to a limit, and ends once recorded. */
export class CapturedStream {
  readonly readable: ReadableStream<Uint8Array>
  readonly #source: StreamSource
  readonly #withheld = new WithheldBytes()
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined
  #next: Early['next'] | undefined
  /** The read that is under way. */
  #reading: Promise<void> | undefined
  #clientGone = false
  #ended = false

  constructor(source: StreamSource) {
    this.#source = source
    this.#next = source.early.next
    this.readable = new ReadableStream<Uint8Array>(
      {
        start: (controller) => this.#begin(controller),
        pull: () => this.#read(),
        cancel: () => this.#onClientGone(),
      },
      { highWaterMark: 0 },
    )
    // A runtime whose client has left may neither read the answer nor cancel it.
    if (source.clientGone.aborted) this.#onClientGone()
    else source.clientGone.addEventListener('abort', () => this.#onClientGone(), { once: true })
  }

  #begin(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller
    for (const chunk of this.#source.early.chunks) this.#send(Buffer.from(chunk))
  }

  #read(): Promise<void> {
    this.#reading ??= this.#advance().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  /** The handler's stream is read to its end all the same. */
  #onClientGone(): void {
    if (this.#clientGone) return
    this.#clientGone = true
    this.#source.keepAlive(this.#drain())
  }

  async #drain(): Promise<void> {
    // One that is about to return has not seen that the client left.
    await this.#reading
    await this.#read()
  }

  /** Reads until something was sent, or to the end where nobody is there to send to. */
  async #advance(): Promise<void> {
    const { body, reader } = this.#source
    while (!this.#ended) {
      let result: Awaited<Early['next']>
      try {
        result = await (this.#next ?? reader.read())
      } catch (error) {
        return this.#break(error)
      }
      this.#next = undefined
      if (result.done) return this.#end()
      const bytes = Buffer.from(result.value)
      body.add(bytes)
      if (this.#clientGone && body.overflowed) return this.#giveUp()
      if (this.#send(bytes)) return
    }
  }

  #send(bytes: Buffer): boolean {
    const now = this.#withheld.pass(bytes, this.#source.declaredBytes)
    if (this.#clientGone || now === undefined) return false
    this.#controller?.enqueue(now)
    return true
  }

  async #end(): Promise<void> {
    this.#ended = true
    const finished = await this.#source.finish(this.#source.body.overflowed ? 'too-large' : undefined)
    if (this.#clientGone) return
    if (finished === 'withheld') {
      // Another run took over: this answer must not be told as if it were the truth.
      this.#controller?.error(new Error('Another run took over this idempotency key.'))
      return
    }
    const rest = this.#withheld.rest(undefined)
    if (rest !== undefined) this.#controller?.enqueue(rest)
    this.#controller?.close()
  }

  async #break(error: unknown): Promise<void> {
    this.#ended = true
    await this.#source.finish('cut-short')
    this.#controller?.error(error)
  }

  /** Nobody reads it and nobody can replay it: a handler that streams without end hears that it may stop. */
  async #giveUp(): Promise<void> {
    this.#ended = true
    await this.#source.finish('too-large')
    await this.#source.reader.cancel().catch(() => {})
  }
}
