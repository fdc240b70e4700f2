import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Finished } from '../../core/lease.ts'
import type { HeaderList, StoredResponse } from '../../core/record.ts'
import type { Callback } from './data-arguments.ts'

/** What a capture needs to know and to tell. */
export interface CapturedRun {
  readonly maxResponseBytes: number
  /** Records the answer. Never rejects. */
  finish(response: StoredResponse): Promise<Finished>
  /** Picks the headers that a record keeps. */
  recordable(headers: HeaderList): HeaderList
  /** The handler has decided on status and headers; `headers` are those it set or changed. */
  onHead(headers: HeaderList): void
  /** Adds this exchange's own headers, just before they leave. */
  decorate(response: ServerResponse): void
  /** Answers in place of the handler whose lease was lost, before anything was sent. */
  refuse(response: ServerResponse): void
}

/** The methods that stood on the response before, in the one form each that is used here. */
export interface OriginalMethods {
  writeHead(status: number, reason?: string): unknown
  write(chunk: Buffer, callback?: Callback): boolean
  end(chunk: string | Buffer | undefined, encoding: 'latin1', callback?: Callback): unknown
  flushHeaders(): void
  destroy(error?: Error): ServerResponse
  emit(event: string, ...args: unknown[]): boolean
  addTrailers(trailers: OutgoingHttpHeaders): void
}
