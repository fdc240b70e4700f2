import type { HeaderList, KeptResponse } from '../../core/record.ts'
import { acceptable } from '../acceptable.ts'

/** An answer of which everything is known before anything is sent. */
export interface WholeAnswer {
  readonly status: number
  readonly statusText?: string
  readonly headers: Headers
  readonly body: Uint8Array
}

/** The recorded answer, in a form that this client can read. */
export async function replayed(
  request: Request,
  recorded: KeptResponse,
  maxDecodedBytes: number,
): Promise<WholeAnswer> {
  const acceptEncoding = request.headers.get('accept-encoding') ?? undefined
  const { status, headers, body } = await acceptable(acceptEncoding, recorded, maxDecodedBytes)
  return { status, headers: headersOf(headers), body }
}

export function wholeResponse({ status, statusText, headers, body }: WholeAnswer): Response {
  const hasNoBody = nullBodyStatuses.has(status)
  if (!hasNoBody) headers.set('Content-Length', String(body.length))
  // Not even an empty body where none is: runtimes would give it a type. What stores and streams give is never
  // a view of shared memory, which the types leave open.
  const bytes = hasNoBody || body.length === 0 ? null : (body as Uint8Array<ArrayBuffer>)
  const response = new Response(bytes, { status, headers, ...(statusText !== undefined && { statusText }) })
  // @hono/node-server 1.19.0 has a `Response` of its own, and sends the length of one that nobody looked into twice.
  void response.body
  return response
}

/** Their `Response` must have no body: the Fetch standard's null body statuses. */
export const nullBodyStatuses = new Set([204, 205, 304])

export function headersOf(list: HeaderList): Headers {
  const headers = new Headers()
  for (const [name, value] of list) headers.append(name, value)
  return headers
}
