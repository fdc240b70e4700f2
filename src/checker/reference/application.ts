import { randomUUID } from 'node:crypto'
import { gzipped } from './compression.ts'
import type { Guard, GuardedCall } from './layer.ts'
import { headerOf, type HeaderLine, jsonReply, problem, type ReadRequest, type Reply } from './messages.ts'
import { type Item, operate } from './operation.ts'
import type { Ledger, RecordStore } from './store.ts'

export type ApplicationOptions = {
  readonly store: RecordStore
  readonly ledger: Ledger
  readonly guard: Guard
  readonly auth: boolean
  readonly guardBeforeAuth: boolean
  readonly compressInside: boolean
  readonly methods: readonly string[]
}

const dayMs = 24 * 60 * 60 * 1000
const principals: Record<string, string> = { 'tenant-a': 'a', 'tenant-a-2': 'a', 'tenant-b': 'b' }

/** The fixture's routes, in the order that matters: CORS, credentials, limits, idempotency, the operation. */
export function createApplication(options: ApplicationOptions): (request: ReadRequest) => Promise<Reply> {
  const items = new Map<string, Item>()
  const limited = new Set<string>()
  return async (request) => {
    const reply = await route(options, items, limited, request)
    return ofThisExchange(options.compressInside ? reply : gzipped(reply, request), request)
  }
}

async function route(
  options: ApplicationOptions,
  items: Map<string, Item>,
  limited: Set<string>,
  request: ReadRequest,
): Promise<Reply> {
  if (request.method === 'OPTIONS') return preflight()
  const open = administer(options, request)
  if (open !== undefined) return open
  const principal = options.auth ? principals[bearer(request)] : 'everyone'
  const unknown = problem(401, 'unauthorized', 'Who are you?', 'A known bearer token is needed.', [
    ['WWW-Authenticate', 'Bearer'],
  ])
  if (principal === undefined && !options.guardBeforeAuth) return unknown
  const early = outerRefusal(request, limited)
  if (early !== undefined) return early
  const run = async (): Promise<Reply> => {
    if (principal === undefined) return unknown
    const reply = await handle(options, items, request)
    return options.compressInside ? gzipped(reply, request) : reply
  }
  if (!options.methods.includes(request.method)) return run()
  const call: GuardedCall = {
    request,
    principal: options.guardBeforeAuth ? 'whoever' : (principal ?? ''),
    store: options.store,
    retainMs: Number(request.query.get('retainMs') ?? dayMs),
    run,
  }
  return options.guard(call)
}

function handle(options: ApplicationOptions, items: Map<string, Item>, request: ReadRequest): Promise<Reply> {
  if (request.path === '/op') return operateOrRefuse(options, items, request)
  const id = /^\/items\/([\w-]+)$/.exec(request.path)?.[1]
  const item = id === undefined ? undefined : items.get(id)
  if (item === undefined)
    return Promise.resolve(problem(404, 'not-found', 'Not found', 'There is nothing here.'))
  return Promise.resolve(itemReply(items, item, request))
}

function operateOrRefuse(
  options: ApplicationOptions,
  items: Map<string, Item>,
  request: ReadRequest,
): Promise<Reply> {
  if (['POST', 'PATCH', 'PUT'].includes(request.method)) return operate(request, options.ledger, items)
  const allow: HeaderLine = ['Allow', 'POST, PATCH, PUT, OPTIONS']
  return Promise.resolve(problem(405, 'method-not-allowed', 'Method not allowed', request.method, [allow]))
}

function itemReply(items: Map<string, Item>, item: Item, request: ReadRequest): Reply {
  const match = headerOf(request, 'if-match')
  if (match !== '' && match !== '*' && match !== tag(item)) {
    return problem(412, 'precondition-failed', 'The item has changed', 'Read it again.')
  }
  if (request.method === 'DELETE') {
    items.delete(item.id)
    return { status: 204, headers: [], body: Buffer.alloc(0) }
  }
  if (request.method === 'PUT' || request.method === 'PATCH') {
    const amount = amountIn(request.body)
    item.amount = request.method === 'PUT' ? amount : item.amount + amount
    item.version += 1
  }
  return jsonReply(200, { id: item.id, amount: item.amount, version: item.version }, [['ETag', tag(item)]])
}

function tag(item: Item): string {
  return `"${item.version}-${item.id}"`
}

function amountIn(body: Buffer): number {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    const holds = typeof value === 'object' && value !== null && 'amount' in value
    return holds && typeof value.amount === 'number' ? value.amount : 0
  } catch {
    return 0
  }
}

/** Counters, switches and documentation: outside the layer, as the fixture asks. */
function administer(options: ApplicationOptions, request: ReadRequest): Reply | undefined {
  if (request.path === '/effects') {
    const marker = request.query.get('marker')
    const count = marker === null || marker === '' ? options.ledger.total() : options.ledger.count(marker)
    return jsonReply(200, { count })
  }
  if (request.path === '/admin/store') {
    options.store.down = request.query.get('down') === '1'
    return jsonReply(200, { down: options.store.down })
  }
  if (request.path !== '/docs') return undefined
  const text = `Send Idempotency-Key: an RFC 9651 String or a bare key of at most 1024 characters, a UUID for
choice. Its scope is the caller. Method, path, query, media type and body are compared; JSON by value.
A key is remembered for 24 hours and then expires. Concurrent requests are told 409.
`
  return { status: 200, headers: [['Content-Type', 'text/plain; charset=utf-8']], body: Buffer.from(text) }
}

/** What a server says before it has looked at the key: none of it may use the key up. */
function outerRefusal(request: ReadRequest, limited: Set<string>): Reply | undefined {
  if (headerOf(request, 'early-data') === '1') {
    return problem(425, 'too-early', 'Too early', 'Not in early data.')
  }
  const limit = request.query.get('limit')
  const once = `${request.target} ${request.body.toString('latin1').slice(0, 200)}`
  if (limit === null || limited.has(once)) return undefined
  limited.add(once)
  return problem(Number(limit), 'slow-down', 'Slow down', 'Try again.', [['Retry-After', '1']])
}

function bearer(request: ReadRequest): string {
  return /^Bearer (.+)$/.exec(headerOf(request, 'authorization'))?.[1] ?? ''
}

function preflight(): Reply {
  const headers: HeaderLine[] = [
    ['Access-Control-Allow-Origin', '*'],
    ['Access-Control-Allow-Methods', 'POST, PATCH, PUT, DELETE'],
    ['Access-Control-Allow-Headers', 'idempotency-key, content-type, authorization'],
    ['Access-Control-Expose-Headers', 'Idempotent-Replayed'],
  ]
  return { status: 204, headers, body: Buffer.alloc(0) }
}

/** Fields that are set anew for every exchange, replay or not. */
function ofThisExchange(reply: Reply, request: ReadRequest): Reply {
  const origin = headerOf(request, 'origin')
  const cors: HeaderLine[] =
    origin === ''
      ? []
      : [
          ['Access-Control-Allow-Origin', origin],
          ['Access-Control-Expose-Headers', 'Idempotent-Replayed'],
        ]
  return { ...reply, headers: [...reply.headers, ...cors, ['X-Request-Id', randomUUID()]] }
}
