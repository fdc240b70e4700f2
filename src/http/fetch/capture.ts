import type { Finished } from '../../core/lease.ts'
import type { HeaderList, StoredResponse, TombstoneReason } from '../../core/record.ts'
import { entombed } from '../../core/tombstone.ts'
import { CapturedBody } from '../captured-body.ts'
import type { HeaderTarget } from '../exchange-headers.ts'
import { AnswerHeaders } from './answer-headers.ts'
import { CapturedStream } from './captured-stream.ts'
import { type LightBody, lightBodyOf } from './light.ts'
import { type WholeAnswer, wholeResponse } from './replay.ts'

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
  decorate(headers: HeaderTarget): void
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
  outerHeaders: HeaderList,
): Promise<Response> {
  const light = lightBodyOf(response)
  const listed = headersOf(response, light)
  const changed = listed.filter(([name, value]) => !has(outerHeaders, name, value))
  run.onHead(changed)
  const { status } = response
  const head: StoredResponse = {
    kind: 'kept',
    status,
    headers: run.recordable(changed),
    body: new Uint8Array(),
  }
  const headers = new AnswerHeaders(listed)
  run.decorate(headers)
  const body = new CapturedBody(run.maxResponseBytes)
  if (light !== undefined) {
    const bytes = Buffer.from(light ?? '')
    body.add(bytes)
    return recordWhole(run, head, body, {
      status,
      headers,
      body: bytes,
      ...(typeof light === 'string' && { light }),
    })
  }
  const { statusText } = response
  const reader = response.body?.getReader()
  const early = reader === undefined ? 'whole' : await readEarly(reader, body)
  if (reader === undefined || early === 'whole')
    return recordWhole(run, head, body, { status, statusText, headers, body: body.bytes() })
  const stream = new CapturedStream({
    reader,
    body,
    early,
    declaredBytes: lengthOf(headers),
    clientGone: run.clientGone,
    finish: (reason) => finish(run, head, body, reason),
    keepAlive: (work) => run.keepAlive(work),
  })
  return new Response(stream.readable, { status, statusText, headers: headers.toInit() })
}

async function recordWhole(
  run: CapturedRun,
  head: StoredResponse,
  body: CapturedBody,
  answer: WholeAnswer,
): Promise<Response> {
  const finished = await finish(run, head, body, body.overflowed ? 'too-large' : undefined)
  return finished === 'withheld' ? run.refuse() : wholeResponse(answer)
}

function finish(
  run: CapturedRun,
  head: StoredResponse,
  body: CapturedBody,
  reason: TombstoneReason | undefined,
): Promise<Finished> {
  const stored = { ...head, body: body.bytes() }
  return run.finish(reason === undefined ? stored : entombed(stored, reason))
}

function headersOf(response: Response, light: LightBody | undefined): HeaderList {
  const listed = [...response.headers]
  // As the Fetch standard has it of a text; a light response gets its type last.
  if (typeof light === 'string' && !response.headers.has('content-type'))
    listed.push(['content-type', 'text/plain;charset=UTF-8'])
  return listed
}

function has(list: HeaderList, name: string, value: string): boolean {
  return list.some(([otherName, otherValue]) => otherName === name && otherValue === value)
}

export type Reader = ReadableStreamDefaultReader<Uint8Array>

/** What came at once, and the read that did not. */
export interface Early {
  readonly chunks: readonly Uint8Array[]
  readonly next: ReturnType<Reader['read']>
}

/** Takes what is there without waiting: most bodies are a text or bytes that the handler had. */
async function readEarly(reader: Reader, body: CapturedBody): Promise<'whole' | Early> {
  const chunks: Uint8Array[] = []
  let turn: Promise<void> | undefined
  for (;;) {
    const next = reader.read()
    let result = await atOnce(next)
    if (result === undefined) {
      // Blobs, and all bodies of workerd, come from outside of JavaScript.
      turn ??= turnOfEvents()
      result = await Promise.race([next.catch(() => undefined), turn.then(() => undefined)])
    }
    if (result === undefined) return { chunks, next }
    if (result.done) return 'whole'
    chunks.push(result.value)
    body.add(Buffer.from(result.value))
    if (body.overflowed) return { chunks, next: reader.read() }
  }
}

type Read = Awaited<Early['next']>

/**
 * What is there after some turns of promises, and most bodies take six at most in Node, Bun and Deno: so no timer is armed
 * for each answer.
 */
async function atOnce(next: Early['next']): Promise<Read | undefined> {
  const outcome: { read?: Read } = {}
  next.then(
    (read) => {
      outcome.read = read
    },
    // Whoever takes the read up again is told of its failure.
    () => {},
  )
  for (let turns = 0; turns < 16 && outcome.read === undefined; turns += 1) await Promise.resolve()
  return outcome.read
}

function turnOfEvents(): Promise<void> {
  // Workers have it with nodejs_compat only.
  const { setImmediate: immediate }: { readonly setImmediate?: (run: () => void) => unknown } = globalThis
  return new Promise((resolve) => (immediate === undefined ? setTimeout(resolve, 0) : immediate(resolve)))
}

function lengthOf(headers: AnswerHeaders): number | undefined {
  const length = headers.get('content-length')
  return length === null ? undefined : Number(length)
}
