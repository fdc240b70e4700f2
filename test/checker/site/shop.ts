// An Express application behind hapax that speaks the reference fixture's query, so that every row of the list
// can be asked of the adapter. The handler is the checker's own fixture, which knows nothing of idempotency.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import compression from 'compression'
import cors from 'cors'
import express, { type NextFunction, type Request, type RequestHandler, type Response } from 'express'
import { type ExpressIdempotency, idempotency } from '../../../src/adapters/express.ts'
import { type Item, operate } from '../../../src/checker/reference/operation.ts'
import type { ReadRequest, Reply } from '../../../src/checker/reference/messages.ts'
import { Ledger } from '../../../src/checker/reference/store.ts'
import type { Store } from '../../../src/core/store.ts'

export interface ShopOptions {
  readonly store: Store
  /** Where effects are counted, outside the store and for all processes. */
  readonly ledger: string
  readonly required: boolean
}

export interface Shop {
  readonly app: express.Express
  readonly once: ExpressIdempotency
}

interface AuthedRequest extends Request {
  account?: string
}

const accounts: Readonly<Record<string, string>> = { 'tenant-a': 'a', 'tenant-a-2': 'a', 'tenant-b': 'b' }

export function createShop({ store, ledger: file, required }: ShopOptions): Shop {
  const ledger = new SharedLedger(file)
  const items = new Map<string, Item>()
  const once = idempotency<AuthedRequest>({
    store,
    required,
    scope: (req) => req.account,
    retain: (req) => Number(req.query['retainMs'] ?? 24 * 60 * 60 * 1000),
    // A key that a killed process held is decided within this time.
    lease: '2s',
  })
  const app = express()
  // In development Express answers errors with their stack.
  app.set('env', 'production')
  app.set('query parser', 'simple')
  app.get('/effects', (req, res) => {
    const { marker } = req.query
    res.json({ count: typeof marker === 'string' ? ledger.count(marker) : 0 })
  })
  app.get('/docs', (_req, res) => {
    res.type('text').send(guide)
  })
  app.use(cors(), compression({ threshold: 0 }), requireAccount, doorkeeper())
  app.use(once, express.raw({ type: () => true, limit: '12mb' }))
  app.all('/op', async (req, res) => {
    if (!['POST', 'PATCH', 'PUT'].includes(req.method)) res.set('Allow', 'POST, PATCH, PUT').status(405).end()
    else await write(await operate(read(req), ledger, items), res)
  })
  app.use('/items/:id', (req, res) => {
    const item = items.get(req.params.id)
    if (item === undefined) res.status(404).json({ title: 'There is no such item.' })
    else serveItem(items, item, req, res)
  })
  app.use((error: { status?: number }, _req: Request, res: Response, next: NextFunction) => {
    if (res.headersSent) next(error)
    else res.status(error.status ?? 500).json({ title: 'It failed.' })
  })
  return { app, once }
}

const guide = `Send Idempotency-Key: a string in quotes, or bare; a UUID is best. Keys belong to your account. A key that
was used with another body, path or query (the fingerprint) is refused. Keys are kept for 24 hours. A request that is still running is
answered with 409.
`

/** Counts what every process has written: one line for each effect. */
class SharedLedger extends Ledger {
  readonly #file: string

  constructor(file: string) {
    super(undefined)
    this.#file = file
  }

  override add(marker: string): void {
    appendFileSync(this.#file, `${marker}\n`)
  }

  override count(marker: string): number {
    if (!existsSync(this.#file)) return 0
    return readFileSync(this.#file, 'utf8')
      .split('\n')
      .filter((line) => line === marker).length
  }
}

function requireAccount(req: AuthedRequest, res: Response, next: NextFunction): void {
  const account = accounts[/^Bearer (.+)$/.exec(req.get('authorization') ?? '')?.[1] ?? '']
  if (account === undefined) {
    res.set('WWW-Authenticate', 'Bearer').status(401).json({ title: 'Who are you?' })
    return
  }
  req.account = account
  next()
}

/** Turns requests away before the layer, as rate limits and early-data rules do. */
function doorkeeper(): RequestHandler {
  const limited = new Set<string>()
  return (req, res, next) => {
    const limit = req.query['limit']
    const once = `${req.originalUrl} ${req.get('idempotency-key') ?? ''}`
    if (req.get('early-data') === '1') {
      res.status(425).json({ title: 'Not in early data.' })
    } else if (limit !== undefined && !limited.has(once)) {
      limited.add(once)
      res.set('Retry-After', '1').status(Number(limit)).json({ title: 'Slow down.' })
    } else next()
  }
}

function read(req: Request): ReadRequest {
  const lines: [string, string][] = []
  for (let index = 0; index + 1 < req.rawHeaders.length; index += 2) {
    lines.push([(req.rawHeaders[index] ?? '').toLowerCase(), req.rawHeaders[index + 1] ?? ''])
  }
  const { pathname, searchParams } = new URL(req.originalUrl, 'http://shop')
  const body: unknown = req.body
  return {
    method: req.method,
    path: pathname,
    query: searchParams,
    target: req.originalUrl,
    lines,
    // express.raw leaves no Buffer where there is no body.
    body: Buffer.isBuffer(body) ? body : Buffer.alloc(0),
    gone: new AbortController().signal,
  }
}

async function write(reply: Reply, res: Response): Promise<void> {
  if (reply.drop === true) {
    res.destroy()
    return
  }
  res.status(reply.status)
  for (const [name, value] of reply.headers) res.append(name, value)
  const { body, pace } = reply
  if (pace === undefined) {
    if (body.length === 0) res.end()
    else res.send(body)
    return
  }
  const size = Math.max(1, Math.ceil(body.length / pace.chunks))
  for (let at = 0; at < body.length; at += size) {
    if (at > 0) await new Promise((resolve) => setTimeout(resolve, pace.gapMs))
    res.write(body.subarray(at, at + size))
  }
  res.end()
}

function serveItem(items: Map<string, Item>, item: Item, req: Request, res: Response): void {
  const tag = (): string => `"${item.version}-${item.id}"`
  const match = req.get('if-match')
  if (match !== undefined && match !== '*' && match !== tag()) {
    res.status(412).json({ title: 'The item has changed.' })
    return
  }
  if (req.method === 'DELETE') {
    items.delete(item.id)
    res.status(204).end()
    return
  }
  if (req.method === 'PUT' || req.method === 'PATCH') {
    const amount = amountIn(req.body)
    item.amount = req.method === 'PUT' ? amount : item.amount + amount
    item.version += 1
  }
  res.set('ETag', tag()).json({ id: item.id, amount: item.amount, version: item.version })
}

function amountIn(body: unknown): number {
  // The checker's own bodies, which are JSON.
  const value = JSON.parse(String(body)) as { amount?: unknown }
  return typeof value.amount === 'number' ? value.amount : 0
}
