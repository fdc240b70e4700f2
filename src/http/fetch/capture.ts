import type { Finished } from '../../core/lease.ts'
import type { HeaderList, StoredResponse } from '../../core/record.ts'
import { entombed } from '../../core/tombstone.ts'
import { CapturedBody } from '../captured-body.ts'
import { CapturedStream } from './captured-stream.ts'
import { wholeResponse } from './replay.ts'

/** What a capture needs to know and to tell. */
export interface CapturedRun {
  readonly maxResponseBytes: number
  /** Aborts when the client has left. */
  readonly clientGone: AbortSignal
  /** Records the answer. Never rejects. */
  finish(response: StoredResponse): Promise<Finished>
  /** Picks the headers that a record keeps. */
  recordable(headers: HeaderList): HeaderList
  /** `headers` are those that the handler set or changed. */
  onHead(headers: HeaderList): void
  /** Adds this exchange's own headers. */
  decorate(headers: Headers): void
  /** The answer in place of one whose lease was lost. */
  refuse(): Promise<Response>
  /** Keeps the runtime from ending while a recording goes on that nobody waits for. */
  keepAlive(work: Promise<unknown>): void
}

/**
 * Records a handler's answer. One that is all there goes out after its record; a stream goes out as it comes,
 * less what would complete it: its last byte where it declares a length, else its end.
 */
export async function captureResponse(
  response: Response,
  run: CapturedRun,
  outerHeaders: Headers,
): Promise<Response> {
  const changed = [...response.headers].filter(([name, value]) => outerHeaders.get(name) !== value)
  run.onHead(changed)
  const { status, statusText } = response
  const head: StoredResponse = {
    kind: 'kept',
    status,
    headers: run.recordable(changed),
    body: new Uint8Array(),
  }
  const headers = new Headers(response.headers)
  run.decorate(headers)
  const body = new CapturedBody(run.maxResponseBytes)
  const reader = response.body?.getReader()
  const early = reader === undefined ? 'whole' : await readEarly(reader, body)
  if (reader === undefined || early === 'whole') {
    const finished = await run.finish({ ...head, body: body.bytes() })
    if (finished === 'withheld') return run.refuse()
    return wholeResponse({ status, statusText, headers, body: body.bytes() })
  }
  const stream = new CapturedStream({
    reader,
    body,
    early,
    declaredBytes: lengthOf(response.headers),
    clientGone: run.clientGone,
    finish: (reason) => {
      const stored = { ...head, body: body.bytes() }
      return run.finish(reason === undefined ? stored : entombed(stored, reason))
    },
    keepAlive: (work) => run.keepAlive(work),
  })
  return new Response(stream.readable, { status, statusText, headers })
}

export type Reader = ReadableStreamDefaultReader<Uint8Array>

/** What came at once, and the read that did not. */
export interface Early {
  readonly chunks: readonly Uint8Array[]
  readonly next: ReturnType<Reader['read']>
}

/** Takes what is there without waiting: most bodies are a text or bytes that the handler had. */
async function readEarly(reader: Reader, body: CapturedBody): Promise<'whole' | Early> {
  const later = new Promise<'later'>((resolve) => setTimeout(() => resolve('later'), 0))
  const chunks: Uint8Array[] = []
  for (;;) {
    const next = reader.read()
    // Whoever takes the read up again is told of its failure.
    next.catch(() => {})
    const result = await Promise.race([next.catch(() => 'later' as const), later])
    if (result === 'later') return { chunks, next }
    if (result.done) return 'whole'
    chunks.push(result.value)
    body.add(Buffer.from(result.value))
    if (body.overflowed) return { chunks, next: reader.read() }
  }
}

function lengthOf(headers: Headers): number | undefined {
  const length = headers.get('content-length')
  return length === null ? undefined : Number(length)
}
