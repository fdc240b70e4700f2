import { randomUUID } from 'node:crypto'
import autocannon, { type Instance, type Result } from 'autocannon'
import { percentile } from './median.ts'
import type { Traffic } from './variants.ts'

export interface Load {
  readonly url: string
  readonly traffic: Traffic
  readonly length: { readonly requests: number } | { readonly seconds: number }
  readonly connections: number
  /** Default: a small order. */
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
  /**
   * Never sleep while waiting. A server that wakes a process with each answer pays for it, 30 µs where it is the slower
   * of the two and 0 where it is the faster; over a network it never does. Only where nothing else needs this core.
   */
  readonly awake?: boolean
}

export interface LoadResult {
  readonly answered: number
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export const smallOrder = JSON.stringify({
  item: 'book',
  quantity: 2,
  marker: 'm',
  amount: 1,
  note: 'x'.repeat(180),
})

/** Sends POST requests and rejects if any was not answered with 201: a wrong answer is no figure. */
export async function load({
  url,
  traffic,
  length,
  connections,
  body = smallOrder,
  headers = {},
  awake = false,
}: Load): Promise<LoadResult> {
  const run = randomUUID()
  let sent = 0
  const headersOf = (index: number) => ({
    'content-type': 'application/json',
    ...headers,
    ...(traffic !== 'unkeyed' && {
      'idempotency-key': traffic === 'first' ? `"${run}-${index}"` : `"${run}"`,
    }),
  })
  // A key whose answer is there, so that the load meets replays only.
  if (traffic === 'replay') await fetch(url, { method: 'POST', body, headers: headersOf(0) })
  const startedMs = performance.now()
  let lastAnswerMs = startedMs
  const latenciesMs: number[] = []
  const attack = autocannon({
    url,
    ...('requests' in length ? { amount: length.requests } : { duration: length.seconds }),
    connections: 'requests' in length ? Math.min(connections, length.requests) : connections,
    // Autocannon ends a run with a sample; by default that is the next full second.
    sampleInt: 50,
    requests: [
      { method: 'POST', body, setupRequest: (request) => ({ ...request, headers: headersOf(sent++) }) },
    ],
    // It is both, whatever its types say.
  }) as Promise<Result> & Instance
  // Its own histogram counts whole milliseconds, which are too coarse for one connection.
  void attack.on('response', (_client, _status, _bytes, responseMs) => {
    lastAnswerMs = performance.now()
    latenciesMs.push(responseMs)
  })
  const letSleep = awake ? stayAwake() : () => {}
  const result = await Promise.resolve(attack).finally(letSleep)
  const created = result.statusCodeStats?.['201']?.count ?? 0
  const expected = 'requests' in length ? length.requests : latenciesMs.length
  if (result.errors > 0 || created < expected) {
    throw new Error(`${traffic}: ${created} of ${expected} answered 201, ${result.errors} errors`)
  }
  return {
    answered: created,
    requestsPerSecond: created / ((lastAnswerMs - startedMs) / 1000),
    p50Ms: percentile(latenciesMs, 0.5),
    p99Ms: percentile(latenciesMs, 0.99),
  }
}

/** Returns what ends it. */
function stayAwake(): () => void {
  let turn = setImmediate(function spin() {
    turn = setImmediate(spin)
  })
  return () => clearImmediate(turn)
}
