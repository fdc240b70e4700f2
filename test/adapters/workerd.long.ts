// The adapter contract of hapax/fetch in workerd, the runtime of Cloudflare: client, handlers and server run there, with
// a guard for each request, as docs/frameworks.md asks of Workers.
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { testAdapter } from '../../src/testing/adapter.ts'
import { fetchOn } from '../support/adapters/fetch-handler.ts'
import { exchange, RawConnection } from '../support/raw-http.ts'
import { installTools, startWorkerd, type WorkerdRuntime } from '../support/workerd.ts'
import { lacks } from './workerd/lacks.ts'

const servers = Array.from('ABCDEFGH')

/** Cases that fail there, by their whole titles, with what they say; the comment before each says why. */
const failing = new Map([
  // `Headers` of workerd are UTF-8 on the wire.
  ['replay > repeats every header, in whatever case and order', 'Björn'],
  // workerd sends no Date; the network before it does.
  ['replay > dates each answer anew', 'not strictly equal'],
  // workerd closes a connection after an answer that left much of a body unread, without hapax too.
  [
    'keys and scopes > keeps the connection usable after a refusal of a request with a body',
    'a whole answer; 0 bytes',
  ],
  [
    'same key, same request > answers 413 to a body that is too large (length), before any claim',
    'a whole answer; 0 bytes',
  ],
  [
    'same key, same request > answers 413 to a body that is too large (chunked), before any claim',
    'a whole answer; 0 bytes',
  ],
  // Each guard warns once, and each request has its own.
  ['mistakes > warns once where CORS headers are set behind it', 'cors-after'],
  // workerd sends the last chunk of a body whose stream broke, without hapax too: see the test below.
  [
    'the end of an answer > cuts off the answer of a run whose lease was lost after it began',
    'false == true',
  ],
  // Its client runs in workerd, where a socket that is destroyed stays open: see the test below.
  ['concurrency > lets a waiter whose client has left go', 'not strictly equal'],
])

let runtime: WorkerdRuntime
let ports: string
beforeAll(async () => {
  const folder = await installTools('runtimes')
  runtime = await startWorkerd(folder, new URL('workerd/worker.ts', import.meta.url), {
    unsafeDirectSockets: [...servers, 'waiters', 'broken'].map((entrypoint) => ({
      host: '127.0.0.1',
      port: 0,
      entrypoint,
    })),
  })
  const urls = servers.map(async (name) => [name, await portOf(name)])
  ports = JSON.stringify(Object.fromEntries(await Promise.all(urls)))
}, 240_000)
afterAll(() => runtime.dispose())

async function portOf(entrypoint: string): Promise<number> {
  return Number((await runtime.unsafeGetDirectURL(undefined, entrypoint)).port)
}

const elsewhere = (): never => {
  throw new Error('The cases run in the Worker.')
}

testAdapter(
  {
    describe,
    test: (name) => {
      test(name, async ({ task }) => {
        const title = `${task.suite?.name} > ${name}`
        const wanted = new URLSearchParams({ case: title, ports })
        const reply = await fetch(`${(await runtime.ready).origin}/?${wanted.toString()}`)
        const outcome = await reply.text()
        const known = failing.get(title)
        if (known === undefined) expect(outcome).toBe('passed')
        else expect(outcome).toContain(known)
      })
    },
  },
  fetchOn('fetch', elsewhere, lacks),
)

describe('a client outside of workerd', () => {
  test('is let go when it has left while it waited', async () => {
    const port = await portOf('waiters')
    const said = async (path: string) =>
      (await exchange(port, { method: 'GET', target: path })).body.toString()
    const request = { headers: [['Idempotency-Key', 'k1']], body: 'x' } as const
    const first = exchange(port, request)
    await vi.waitUntil(async () => (await said('/claims')) === '1')
    const waiting = await RawConnection.open(port)
    waiting.send(request)
    // Its own claim, and the one after it has subscribed.
    await vi.waitUntil(async () => (await said('/claims')) === '3')
    waiting.reset()
    await sleep(200)
    await said('/open')
    expect((await first).status).toBe(201)
    await sleep(200)
    // Nobody waits any longer, so nobody asks.
    expect(await said('/claims')).toBe('3')
  })

  test('is told the last chunk of a body whose stream broke, by workerd itself', async () => {
    const answer = await exchange(await portOf('broken'), { method: 'GET' })
    expect(answer.framing).toBe('chunked')
    expect(answer.body.toString()).toBe('begun')
  })
})
