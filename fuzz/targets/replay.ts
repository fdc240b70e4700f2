import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { duplexPair } from 'node:stream'
import { idempotency as guardFetch } from '../../src/adapters/fetch.ts'
import { idempotency as guardNode } from '../../src/adapters/node.ts'
import type { KeptResponse } from '../../src/core/record.ts'
import type { ClaimResult, Store } from '../../src/core/store.ts'
import { decodeResponse } from '../../src/stores/redis/encoding.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { answersIn, valuesOf } from '../answers.ts'
import type { FuzzTarget } from '../target.ts'

/** What an exchange may have besides what its record says. */
const ofTheExchange = new Set([
  'connection',
  'content-length',
  'content-type',
  'date',
  'idempotency-expires',
  'idempotent-replayed',
  'keep-alive',
  'trailer',
  'transfer-encoding',
])

/** An envelope as Redis holds it, the byte 0x1E, and a body. */
export const replayTarget: FuzzTarget = {
  name: 'replay',
  what: 'whatever a record holds, its replay is one well-formed answer, on Node and on fetch',
  tokens: [
    '\r\nSet-Cookie: stolen=1',
    '\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
    '\0transfer-encoding\0chunked',
    '\0content-length\x005',
    '\0connection\0close',
    '\0content-encoding\0gzip',
    '\0trailer\0x',
    '[200,["a","b"],["c","d"]]',
    '"\\r\\nx: y"',
    '100',
    '204',
    '304',
    '999',
    '\x1e',
  ],
  open() {
    let recorded: KeptResponse | undefined
    const store = storeOf(() => recorded)
    const once = guardNode({ store, scope: false })
    const guarded = once(() => assert.fail('the handler ran'))
    const server = createServer((request, response) => {
      guarded(request, response).catch((error: unknown) => response.destroy(asError(error)))
    })
    const fetchOnce = guardFetch({ store, scope: false })
    const guardedFetch = fetchOnce(() => assert.fail('the handler ran'))
    return {
      corpus,
      async run(input) {
        recorded = responseIn(input)
        if (recorded === undefined) return
        await assertNode(server, recorded)
        await assertFetch(guardedFetch, recorded)
      },
      async close() {
        await Promise.all([once.close(), fetchOnce.close()])
      },
    }
  },
}

const corpus = [
  '201\0Location\0/orders/17\0Content-Type\0application/json\x1e{"id":17}',
  '200\0X-A\x001\0x-a\x002\0Cache-Control\0no-store\x1ehello',
  '204\0ETag\0"a"\x1e',
  '304\0\0\x1e',
  '[200,["content-type","text/plain"],["x-checksum","1"]]\x1ebody',
  '[201,["caf\u00e9","\\ud800"]]\x1e',
  '500\x1efailed',
  '200\0transfer-encoding\0chunked\x1ehello',
  '200\0Connection\0keep-alive\0Content-Length\x009\0Trailer\0x\0a\0b\x1ehello',
  '200\0X-A\x001\r\nSet-Cookie: stolen=1\x1ehello',
  '100\0a\0b\x1e',
  '200\0content-encoding\0gzip\x1enot gzip',
]

function responseIn(input: Buffer): KeptResponse | undefined {
  const cut = input.indexOf(0x1e)
  const [envelope, body] =
    cut === -1 ? [input, Buffer.alloc(0)] : [input.subarray(0, cut), input.subarray(cut + 1)]
  try {
    const response = decodeResponse(envelope, body)
    return response.kind === 'kept' ? response : undefined
  } catch {
    // The store calls it unreadable.
    return undefined
  }
}

/** Every key is completed, with the answer of this moment. */
function storeOf(recorded: () => KeptResponse | undefined): Store {
  const inner = memoryStore()
  return {
    name: 'fuzzed',
    durable: true,
    claim: async (): Promise<ClaimResult> => {
      const response = recorded()
      assert(response !== undefined)
      return { kind: 'completed', failed: false, response, expiresInMs: 60_000 }
    },
    renew: (leases) => inner.renew(leases),
    complete: (lease, outcome) => inner.complete(lease, outcome),
    release: (lease, options) => inner.release(lease, options),
    abandon: (id, owner) => inner.abandon(id, owner),
    recordStep: (lease, change) => inner.recordStep(lease, change),
    close: () => inner.close(),
  }
}

const question =
  'POST /orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept-Encoding: gzip, br, deflate\r\n' +
  'Idempotency-Key: k\r\nContent-Length: 0\r\n\r\n'

async function assertNode(server: ReturnType<typeof createServer>, recorded: KeptResponse): Promise<void> {
  const [client, connection] = duplexPair()
  server.emit('connection', connection)
  client.write(question)
  const chunks: Buffer[] = []
  for await (const chunk of client) chunks.push(chunk)
  const { answers, rest } = answersIn(Buffer.concat(chunks))
  const [answer] = answers
  assert(
    answer !== undefined && answers.length === 1 && rest.length === 0,
    `${answers.length} answers, ${rest.length} bytes more`,
  )
  if (isRefusal(answer.status, valuesOf(answer.headers, 'content-type')[0])) return
  assert.equal(answer.status, recorded.status)
  assertOnlyRecorded(
    answer.headers.map(([name]) => name),
    recorded,
  )
  if (![204, 304].includes(recorded.status)) assert(answer.body.equals(recorded.body), 'another body')
  assert(valuesOf(answer.headers, 'connection').every((value) => value === 'close'))
}

async function assertFetch(
  guarded: (request: Request) => Promise<Response>,
  recorded: KeptResponse,
): Promise<void> {
  const headers = { 'Idempotency-Key': 'k', 'Accept-Encoding': 'gzip, br, deflate' }
  const answer = await guarded(new Request('http://x/orders', { method: 'POST', headers }))
  if (isRefusal(answer.status, answer.headers.get('content-type') ?? undefined)) return
  assert.equal(answer.status, recorded.status)
  assertOnlyRecorded([...answer.headers.keys()], recorded)
  assert.equal(answer.headers.get('transfer-encoding'), null)
  const body = Buffer.from(await answer.arrayBuffer())
  if (![204, 205, 304].includes(recorded.status)) assert(body.equals(recorded.body), 'another body')
}

function isRefusal(status: number, contentType: string | undefined): boolean {
  return status === 409 && contentType === 'application/problem+json'
}

function assertOnlyRecorded(names: readonly string[], recorded: KeptResponse): void {
  const known = new Set(recorded.headers.map(([name]) => name.toLowerCase()))
  for (const name of names) {
    const lowerCase = name.toLowerCase()
    assert(
      known.has(lowerCase) || ofTheExchange.has(lowerCase),
      `the replay has ${name}, which nobody recorded`,
    )
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
