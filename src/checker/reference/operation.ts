import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync } from 'node:zlib'
import { type HeaderLine, headerOf, jsonReply, problem, type ReadRequest, type Reply } from './messages.ts'
import type { Ledger } from './store.ts'

export type Item = { readonly id: string; amount: number; version: number }

/**
 * The operation of the fixture: makes one effect for the body's marker and answers as its query says.
 * It knows nothing of idempotency.
 */
export async function operate(
  request: ReadRequest,
  ledger: Ledger,
  items: Map<string, Item>,
): Promise<Reply> {
  const { query } = request
  const refusal = refuse(request)
  if (refusal !== undefined) return refusal
  await sleep(Number(query.get('delayMs') ?? 0))
  const id = randomUUID()
  const fail = query.get('fail')
  if (fail === 'before') {
    return jsonReply(Number(query.get('status') ?? 500), { error: 'failed before the effect', attempt: id })
  }
  ledger.add(markerOf(request))
  items.set(id, { id, amount: 1, version: 1 })
  await sleep(Number(query.get('afterMs') ?? 0))
  if (fail === 'after') throw new Error('failed after the effect')
  if (fail === 'after-drop') return { status: 500, headers: [], body: Buffer.alloc(0), drop: true }
  return shape(request, id)
}

/** What the checker put into the body so that its effects can be counted apart from others'. */
function markerOf(request: ReadRequest): string {
  const body = headerOf(request, 'content-encoding') === 'gzip' ? unzip(request.body) : request.body
  return /hx-[0-9a-f-]{36}/.exec(body.subarray(0, 1024 * 1024).toString('latin1'))?.[0] ?? 'unmarked'
}

function refuse(request: ReadRequest): Reply | undefined {
  const type = headerOf(request, 'content-type').split(';')[0]?.trim().toLowerCase() ?? ''
  if (type === 'text/x-unsupported')
    return problem(415, 'unsupported-media-type', 'Unsupported media type', type)
  if (type !== 'application/json') return undefined
  let body: unknown
  try {
    body = JSON.parse(request.body.toString('utf8'))
  } catch {
    return problem(400, 'malformed-body', 'The body is not JSON', 'It could not be parsed.')
  }
  const invalid = typeof body === 'object' && body !== null && 'invalid' in body && body.invalid === true
  return invalid
    ? problem(422, 'invalid-order', 'The order is invalid', 'invalid must not be true.')
    : undefined
}

function shape(request: ReadRequest, id: string): Reply {
  const { query } = request
  const status = Number(query.get('status') ?? 201)
  const body = status === 204 ? Buffer.alloc(0) : bodyFor(query.get('body') ?? 'json', id)
  const type =
    (query.get('body') ?? 'json') === 'json' ? 'application/json; charset=utf-8' : 'application/octet-stream'
  const headers: HeaderLine[] = body.length > 0 ? [['Content-Type', type]] : []
  headers.push(['Location', `/items/${id}`], ['ETag', `"1-${id}"`])
  for (const line of query.getAll('hdr')) {
    const colon = line.indexOf(':')
    headers.push([line.slice(0, colon), line.slice(colon + 1)])
  }
  const chunks = Number(query.get('chunks') ?? 0)
  const pace = { chunks, gapMs: Number(query.get('gapMs') ?? 0) }
  return { status, headers, body, ...(chunks > 0 ? { pace } : {}) }
}

function bodyFor(kind: string, id: string): Buffer {
  if (kind === 'empty') return Buffer.alloc(0)
  if (kind === 'all256') return Buffer.from(Array.from({ length: 1024 }, (_, index) => index % 256))
  if (kind.startsWith('bytes:')) return Buffer.alloc(Number(kind.slice(6)), `${id}\n`)
  return Buffer.from(`{"id":"${id}","ok":true}`)
}

function unzip(body: Buffer): Buffer {
  try {
    return gunzipSync(body)
  } catch {
    return body
  }
}
