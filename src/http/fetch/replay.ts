import type { KeptResponse } from '../../core/record.ts'
import { acceptable } from '../acceptable.ts'
import { AnswerHeaders } from './answer-headers.ts'
import { sendsTextsFaster } from './light.ts'
import { makesStreamsOfNode } from './node-streams.ts'
import { streamOf } from './whole-stream.ts'

/** An answer of which everything is known before anything is sent. */
export interface WholeAnswer {
  readonly status: number
  readonly statusText?: string
  readonly headers: AnswerHeaders
  readonly body: Uint8Array
  /** The body where the handler gave it as a text: Node sends one and the headers before it in one piece. */
  readonly light?: string
}

/** The recorded answer, in a form that this client can read. */
export async function replayed(
  request: Request,
  recorded: KeptResponse,
  maxDecodedBytes: number,
): Promise<WholeAnswer> {
  const acceptEncoding = request.headers.get('accept-encoding') ?? undefined
  const { status, headers, body } = await acceptable(acceptEncoding, recorded, maxDecodedBytes)
  return { status, headers: new AnswerHeaders(headers), body }
}

export function wholeResponse({ status, statusText, headers, body, light }: WholeAnswer): Response {
  const hasNoBody = nullBodyStatuses.has(status)
  if (!hasNoBody) headers.set('Content-Length', String(body.length))
  // Not even an empty body where none is: runtimes would give it a type.
  const content = hasNoBody || body.length === 0 ? null : contentOf(headers, body, light)
  const init = headers.toInit()
  const response = new Response(content, {
    status,
    headers: init,
    ...(statusText !== undefined && { statusText }),
  })
  // @hono/node-server has a `Response` of its own, and sends one that nobody looked into by other rules: without
  // the type that it gives to others, and (1.19.0) with its length twice.
  if (content === null || init instanceof Headers || headers.get('Content-Type') === null) void response.body
  return response
}

function contentOf(
  headers: AnswerHeaders,
  body: Uint8Array,
  light: WholeAnswer['light'],
): string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> {
  // What stores and streams give is never a view of shared memory, which the types leave open.
  const bytes = body as Uint8Array<ArrayBuffer>
  // For bytes Node makes a stream of the costlier kind. A copy, as `Response` makes one: a reader may do what it likes with it.
  if (makesStreamsOfNode() && !sendsTextsFaster()) return streamOf(new Uint8Array(bytes))
  // In one piece with a text, Node sends its headers as UTF-8 too.
  if (body.length > 65_536 || !sendsTextsFaster() || !headers.every(isAscii)) return bytes
  if (light !== undefined) return light
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('latin1')
  return isAscii(text) ? text : bytes
}

function isAscii(text: string): boolean {
  return !NOT_ASCII.test(text)
}

const NOT_ASCII = /[^\0-\x7f]/

/** Their `Response` must have no body: the Fetch standard's null body statuses. */
export const nullBodyStatuses = new Set([204, 205, 304])
