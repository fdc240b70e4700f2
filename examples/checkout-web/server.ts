// A shop's checkout: a page that uses hapax/client, and an API behind hapax/express.
//
// PORT=3000, STORE=FILE (an SQLite file; default: memory), LEDGER=FILE (the payment provider's book; default: a
// temporary file), WORK_MS=800 (how long a charge takes to be answered after it was made).
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import express, { type Request } from 'express'
import { memoryStore } from 'hapax'
import { idempotency } from 'hapax/express'
import { sqliteStore } from 'hapax/sqlite'
import { chargesIn, type Order, recordCharge } from './ledger.ts'
import { readCart } from './cart.ts'

const { PORT = '3000', STORE, LEDGER, WORK_MS = '800' } = process.env
const ledger = LEDGER ?? join(mkdtempSync(join(tmpdir(), 'checkout-web-')), 'charges.jsonl')

const once = idempotency({
  store: STORE === undefined ? memoryStore() : sqliteStore(STORE),
  // Whoever shops here has a cookie, and no other customer's key can be theirs.
  scope: (req: Request) => customerOf(req),
  // A second tab waits for the first one's answer.
  concurrent: { wait: '10s' },
  // A server that died is noticed soon; the default of 30 s suits longer work.
  lease: '2s',
  // It died after the charge, or before? The ledger knows.
  recovery: ({ key }) => {
    const charge = chargesIn(ledger).find((each) => each.key === key)
    return charge === undefined ? 'rerun' : { status: 201, body: orderOf(charge) }
  },
})

const app = express()
const here = dirname(fileURLToPath(import.meta.url))
const library = dirname(dirname(fileURLToPath(import.meta.resolve('hapax/client'))))

app.use((req, res, next) => {
  if (customerOf(req) === undefined) {
    res.cookie('customer', crypto.randomUUID(), { httpOnly: true, sameSite: 'strict' })
  }
  next()
})
app.use(express.static(join(here, 'public')))
// No bundler: the page's import map points here.
app.use('/hapax/client', express.static(join(library, 'client')))
app.use('/hapax/protocol', express.static(join(library, 'protocol')))

app.use('/api', once, express.json())

app.post('/api/orders', async (req, res) => {
  const cart = readCart(req.body)
  if (cart === undefined) return void res.status(400).json({ message: 'This is no cart.' })
  const { key } = req.idempotency
  const charge = recordCharge(ledger, cart, key)
  await sleep(Number(WORK_MS))
  res.status(201).json(orderOf(charge))
})

/** Tells a customer what was really charged. */
app.get('/api/charges', (req, res) => {
  res.json(chargesIn(ledger).filter(({ cart }) => cart === req.query['cart']))
})

const server = app.listen(Number(PORT), '127.0.0.1', () => {
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  process.stdout.write(`
  A checkout with hapax:  http://localhost:${port}
  The same without it:    http://localhost:${port}/?without

  Click twice. Reload in the middle. Open two tabs. Stop the server and start it again (with STORE=records.sqlite).
  The charges:            ${ledger}
`)
  process.send?.(port)
})
process.once('SIGTERM', () => server.close(() => void once.close()))

function customerOf(req: Request): string | undefined {
  return /(?:^|; )customer=([0-9a-f-]{36})/.exec(req.headers.cookie ?? '')?.[1]
}

function orderOf({ order, quantity, amountCents }: Order): Order {
  return { order, quantity, amountCents }
}
