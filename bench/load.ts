import { randomUUID } from 'node:crypto'
import autocannon, { type Instance, type Result } from 'autocannon'
import type { Traffic } from './variants.ts'

export interface Load {
  readonly url: string
  readonly traffic: Traffic
  readonly requests: number
  readonly connections: number
}

export interface LoadResult {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const body = JSON.stringify({ item: 'book', quantity: 2, marker: 'm', amount: 1, note: 'x'.repeat(180) })

/** Sends POST requests and rejects if any was not answered with 201: a wrong answer is no figure. */
export async function load({ url, traffic, requests, connections }: Load): Promise<LoadResult> {
  const run = randomUUID()
  let sent = 0
  // A key whose answer is there, so that the load meets replays only.
  if (traffic === 'replay') await fetch(url, { method: 'POST', body, headers: keyed(run) })
  const startedMs = performance.now()
  let lastAnswerMs = startedMs
  // It is both, whatever its types say.
  const attack = autocannon({
    url,
    amount: requests,
    connections,
    requests: [
      {
        method: 'POST',
        body,
        setupRequest: (request) => ({ ...request, headers: headersOf(traffic, run, sent++) }),
      },
    ],
  }) as Promise<Result> & Instance
  // Autocannon ends a run on the next full second, which would be most of a short one.
  void attack.on('response', () => {
    lastAnswerMs = performance.now()
  })
  const result = await attack
  const created = result.statusCodeStats?.['201']?.count ?? 0
  if (result.errors > 0 || created < requests) {
    throw new Error(`${traffic}: ${created} of ${requests} answered 201, ${result.errors} errors`)
  }
  return {
    requestsPerSecond: requests / ((lastAnswerMs - startedMs) / 1000),
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
  }
}

function headersOf(traffic: Traffic, run: string, index: number): Record<string, string> {
  if (traffic === 'first') return keyed(`${run}-${index}`)
  return traffic === 'replay' ? keyed(run) : { 'content-type': 'application/json' }
}

function keyed(key: string): Record<string, string> {
  return { 'content-type': 'application/json', 'idempotency-key': `"${key}"` }
}
