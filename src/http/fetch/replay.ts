import type { KeptResponse } from '../../core/record.ts'
import { acceptable } from '../acceptable.ts'
import { AnswerHeaders } from './answer-headers.ts'

/** An answer of which everything is known before anything is sent. */
export interface WholeAnswer {
  readonly status: number
  readonly statusText?: string
  readonly headers: AnswerHeaders
  readonly body: Uint8Array
  /** The body as the handler gave it. Node sends a text and the headers before it in one piece. */
  readonly light?: string | Uint8Array<ArrayBuffer>
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
  // Not even an empty body where none is: runtimes would give it a type. What stores and streams give is never
  // a view of shared memory, which the types leave open.
  const bytes = hasNoBody || body.length === 0 ? null : (light ?? (body as Uint8Array<ArrayBuffer>))
  const init = headers.toInit()
  const response = new Response(bytes, {
    status,
    headers: init,
    ...(statusText !== undefined && { statusText }),
  })
  // @hono/node-server has a `Response` of its own, and sends one that nobody looked into by other rules: without
  // the type that it gives to others, and (1.19.0) with its length twice.
  if (bytes === null || init instanceof Headers || headers.get('Content-Type') === null) void response.body
  return response
}

/** Their `Response` must have no body: the Fetch standard's null body statuses. */
export const nullBodyStatuses = new Set([204, 205, 304])
