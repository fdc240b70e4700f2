// One guarded API in a process of its own, whose memory and handles are the server's alone.
import express, { type Request } from 'express'
import { idempotency } from '../src/adapters/express.ts'
import type { InspectPage, Store } from '../src/core/store.ts'
import { storeOf } from '../test/crash/store-of.ts'

/** What the server tells of itself, right after its garbage was collected. */
export interface Sample {
  readonly heapBytes: number
  readonly rssBytes: number
  readonly outsideHeapBytes: number
  /** Handles, sockets and timers that keep the process alive. */
  readonly resources: number
  readonly byKind: Readonly<Record<string, number>>
  readonly records: number
  /** Handlers that failed, of which none has a reason to. */
  readonly failures: number
}

/** Short, so that as many records end in a second as begin, after a few of them. */
const retain = '10s'
const answerBytes = 2_000
let failures = 0

const { store, close } = storeOf(process.argv[2] ?? 'memory')
const once = idempotency<Request>({
  store,
  scope: (request) => request.get('X-User'),
  retain,
  retainUnknown: retain,
  lease: '5s',
  // Two cores are shared with four servers, their databases and the traffic.
  storeTimeout: '10s',
  concurrent: (request) => (request.get('X-Wait') === undefined ? 'reject' : { wait: '10s' }),
  silence: ['memory-store-in-production'],
  on(event) {
    if (event.type === 'completed' && event.failed) failures += 1
  },
})

const app = express()
app.use(once, express.json())
app.post('/orders', async (request, response) => {
  const { delayMs } = request.body as { delayMs: number }
  await request.idempotency.step('charge', async () => ({ id: 17 }))
  await new Promise((resolve) => setTimeout(resolve, delayMs))
  response.status(201).json({ note: 'x'.repeat(answerBytes) })
})

const server = app.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') process.send?.({ kind: 'listening', port: address?.port })
})

process.on('message', (message) => {
  if (message === 'sample') void tell()
  if (message === 'stop') void stop()
})
process.on('disconnect', () => process.exit())

async function tell(): Promise<void> {
  const records = await countOf(store)
  globalThis.gc?.()
  // Finalizers run between two collections.
  await new Promise((resolve) => setImmediate(resolve))
  globalThis.gc?.()
  const { heapUsed, rss, external } = process.memoryUsage()
  const byKind: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) byKind[kind] = (byKind[kind] ?? 0) + 1
  const resources = Object.values(byKind).reduce((sum, count) => sum + count, 0)
  const sample: Sample = {
    heapBytes: heapUsed,
    rssBytes: rss,
    outsideHeapBytes: external,
    resources,
    byKind,
    records,
    failures,
  }
  process.send?.({ kind: 'sample', sample })
}

async function countOf({ inspect }: Store): Promise<number> {
  let [count, cursor]: [number, string | undefined] = [0, undefined]
  do {
    const page: InspectPage | undefined = await inspect?.list({
      limit: 500,
      ...(cursor !== undefined && { cursor }),
    })
    count += page?.records.length ?? 0
    cursor = page?.cursor
  } while (cursor !== undefined)
  return count
}

async function stop(): Promise<void> {
  server.close()
  server.closeAllConnections()
  await once.close()
  close()
  process.disconnect()
}
