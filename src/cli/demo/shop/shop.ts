import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { text } from 'node:stream/consumers'
import { type ExpressIdempotency, idempotency } from '../../../adapters/express.ts'
import type { RecoveryContext } from '../../../http/options.ts'
import type { RecoveryAnswer } from '../../../http/recovery-answer.ts'
import type { RequestIdempotency } from '../../../http/request-idempotency.ts'
import { Ledger } from '../ledger.ts'
import { newOrder, type Order, orderOf, readOrderRequest } from '../orders.ts'
import { openStore } from '../open-store.ts'
import {
  type CounterSettings,
  demoHeaders,
  type Fault,
  type Protection,
  type ShopSettings,
} from './settings.ts'

/** An orders API on bare node:http. */
export interface Shop {
  handle(request: IncomingMessage, response: ServerResponse): void
  /** Resolves when every handler has ended and its outcome is recorded. */
  close(): Promise<void>
}

export async function createShop({ counters }: ShopSettings): Promise<Shop> {
  const opened = counters.map(async (counter) => [counter.path, await openCounter(counter)] as const)
  const open = new Map(await Promise.all(opened))
  return {
    handle(request, response) {
      const path = request.url?.split('?', 1)[0] ?? ''
      const counter = open.get(path)
      if (counter === undefined) answerJson(response, 404, { title: `No such page: ${path}` })
      else counter.handle(request, response)
    },
    async close() {
      await Promise.all([...open.values()].map((counter) => counter.close()))
    },
  }
}

async function openCounter({ ledger: file, protection }: CounterSettings): Promise<Shop> {
  const ledger = new Ledger(file)
  const running = new Set<Promise<void>>()
  const handle = (request: ShopRequest, response: ServerResponse): void => {
    const run = serve(request, response, ledger).catch((error: unknown) => answerError(response, error))
    running.add(run)
    void run.finally(() => running.delete(run))
  }
  const ended = async (): Promise<void> => void (await Promise.all(running))
  if (protection.kind === 'none') return { handle, close: ended }

  // This middleware is all the difference between the two shops.
  const once = await protect(protection, ledger)
  return {
    handle: (request, response) =>
      once(request, response, (error) =>
        error === undefined ? handle(request, response) : answerError(response, error),
      ),
    async close() {
      await ended()
      await once.close()
    },
  }
}

async function protect(
  { store, leaseMs, recovery }: Extract<Protection, { kind: 'hapax' }>,
  ledger: Ledger,
): Promise<ExpressIdempotency> {
  return idempotency({
    store: await openStore(store),
    // The demo has one customer.
    scope: false,
    lease: leaseMs,
    recovery: recovery === 'refuse' ? 'refuse' : (context) => findOut(context, ledger),
  })
}

/** An earlier run died and nobody was told how far it came: the ledger knows. */
async function findOut(
  { key, request }: RecoveryContext<IncomingMessage>,
  ledger: Ledger,
): Promise<RecoveryAnswer | 'rerun' | 'refuse'> {
  if (request.headers[demoHeaders.recovery] === 'refuse') return 'refuse'
  const charge = await ledger.findByKey(key)
  // No charge, and the process that might still make one is dead.
  if (charge === undefined) return 'rerun'
  const headers = { Location: locationOf(charge), [demoHeaders.found]: 'in the ledger' }
  return { status: 201, headers, body: orderOf(charge) }
}

/** `idempotency` is there behind the middleware only. */
interface ShopRequest extends IncomingMessage {
  idempotency?: RequestIdempotency
}

async function serve(request: ShopRequest, response: ServerResponse, ledger: Ledger): Promise<void> {
  switch (request.method) {
    case 'GET':
      return answerJson(response, 200, await ledger.read())
    case 'POST':
      return placeOrder(request, response, ledger)
    default:
      response.setHeader('Allow', 'GET, POST')
      return answerJson(response, 405, { title: 'Only GET and POST are served here.' })
  }
}

async function placeOrder(request: ShopRequest, response: ServerResponse, ledger: Ledger): Promise<void> {
  const wanted = readOrderRequest(await text(request))
  if (typeof wanted === 'string') return answerJson(response, 400, { title: wanted })
  const order = newOrder(wanted)
  const key = request.idempotency?.key

  await sleep(workMsOf(request))
  dieIfAsked(request, 'kill-before-charge')
  await ledger.append({
    ...order,
    ...(wanted.cart !== undefined && { cart: wanted.cart }),
    ...(key !== undefined && { key }),
    at: new Date().toISOString(),
    pid: process.pid,
  })
  dieIfAsked(request, 'kill-after-charge')

  response.setHeader('Location', locationOf(order))
  answerJson(response, 201, order)
}

const usualWorkMs = 300

function workMsOf({ headers }: IncomingMessage): number {
  const asked = Number(headers[demoHeaders.workMs] ?? usualWorkMs)
  return asked >= 0 && asked <= 60_000 ? asked : usualWorkMs
}

/** A real SIGKILL: nothing is flushed, closed, recorded or said. */
function dieIfAsked({ headers }: IncomingMessage, moment: Fault): void {
  if (headers[demoHeaders.fault]?.includes(moment)) process.kill(process.pid, 'SIGKILL')
}

function locationOf({ order }: Pick<Order, 'order'>): string {
  return `/orders/${order}`
}

function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.statusCode = status
  response.setHeader('Content-Type', 'application/json; charset=utf-8')
  response.end(JSON.stringify(body))
}

function answerError(response: ServerResponse, error: unknown): void {
  // A client that left in the middle of its request is no failure of the shop.
  if (!response.destroyed) process.stderr.write(`shop: ${String(error)}\n`)
  if (!response.headersSent) answerJson(response, 500, { title: 'The shop failed.' })
}
