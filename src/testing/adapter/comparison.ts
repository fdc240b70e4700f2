import { gzipSync } from 'node:zlib'
import assert from 'node:assert/strict'
import { multipart } from './multipart.ts'
import { exchange, jsonOf, linesOf, type RawAnswer, RawConnection, type RawRequest } from './raw-http.ts'
import { countingStore } from './stores.ts'
import { assertMembers, type AdapterCase, type AdapterServer, counter, post } from './subject.ts'

type Lines = ReadonlyArray<readonly [string, string]>

const json: Lines = [['Content-Type', 'application/json']]

/** Pairs of requests under one key: the first, and one that must count as the same or as another. */
const pairs: Record<'same' | 'other', Record<string, [RawRequest, RawRequest]>> = {
  same: {
    'members in another order': [
      { headers: json, body: '{"a":1,"b":[1,2]}' },
      { headers: json, body: '{"b":[1,2],"a":1}' },
    ],
    'other white space and escapes': [
      { headers: json, body: '{"a":"x","n":1}' },
      { headers: json, body: ' { "\\u0061" : "\\u0078", "n": 1.0 }\n' },
    ],
    'a charset on JSON': [
      { headers: json, body: '{}' },
      { headers: [['Content-Type', 'application/json; charset=utf-8']], body: '{}' },
    ],
    'chunked instead of a length': [
      { headers: json, body: '{"a":1}' },
      { headers: json, chunks: ['{"', 'a"', ':1}'] },
    ],
    'gzip instead of identity': [
      { headers: json, body: '{"a":1}' },
      { headers: [...json, ['Content-Encoding', 'gzip']], body: gzipSync('{"a":1}') },
    ],
    'another multipart boundary': [multipart('one', 'file'), multipart('two', 'file')],
    'other headers about the exchange': [
      { headers: [...json, ['User-Agent', 'a'], ['Traceparent', '00-1']], body: '{}' },
      {
        headers: [...json, ['User-Agent', 'b'], ['Traceparent', '00-2'], ['Accept-Language', 'de']],
        body: '{}',
      },
    ],
    'no body twice': [{}, {}],
    'no body and an empty one': [{}, { body: '' }],
    'no body and an empty chunked one': [{}, { chunks: [] }],
  },
  other: {
    'another value': [
      { headers: json, body: '{"a":1}' },
      { headers: json, body: '{"a":2}' },
    ],
    'a large body that differs in its last byte': [
      { body: Buffer.alloc(2_000_000, 'a') },
      { body: Buffer.concat([Buffer.alloc(1_999_999, 'a'), Buffer.from('b')]) },
    ],
    'a trailing newline in text': [
      { headers: [['Content-Type', 'text/plain']], body: 'a' },
      { headers: [['Content-Type', 'text/plain']], body: 'a\n' },
    ],
    'a duplicate member': [
      { headers: json, body: '{"a":1}' },
      { headers: json, body: '{"a":2,"a":1}' },
    ],
    'another media type': [
      { headers: json, body: '{}' },
      { headers: [['Content-Type', 'text/plain']], body: '{}' },
    ],
    'another path': [{ target: '/orders' }, { target: '/refunds' }],
    'another query': [{ target: '/orders?a=1' }, { target: '/orders?a=2' }],
    'another method': [{ method: 'POST' }, { method: 'PATCH' }],
    'a changed multipart file': [multipart('one', 'file'), multipart('one', 'File')],
    'a changed multipart file behind another boundary': [multipart('one', 'file'), multipart('two', 'File')],
    'a body instead of none': [{}, { body: 'a' }],
  },
}

export const comparisonCases: readonly AdapterCase[] = [
  ...Object.entries(pairs.same).map(
    ([what, [first, second]]): AdapterCase => ({
      name: `replays for ${what}`,
      ...(what.startsWith('gzip') && { needs: ['content codings'] }),
      async run(kit) {
        const { handler, runs } = counter()
        const server = await kit.start({ scope: false }, handler)
        assert.equal((await send(server, first)).status, 201)
        const again = await send(server, second)
        assert.equal(again.status, 201)
        assert.deepEqual(linesOf(again, 'Idempotent-Replayed'), ['true'])
        assert.equal(runs(), 1)
      },
    }),
  ),

  ...Object.entries(pairs.other).map(
    ([what, [first, second]]): AdapterCase => ({
      name: `refuses ${what}, and keeps the record`,
      async run(kit) {
        const { handler, runs } = counter()
        const server = await kit.start({ scope: false }, handler)
        assert.equal((await send(server, first)).status, 201)
        const refused = await send(server, second)
        assert.equal(refused.status, 422)
        assertMembers(jsonOf(refused), { code: 'key-reused', status: 422 })
        const again = await send(server, first)
        assert.equal(again.status, 201)
        assert.deepEqual(jsonOf(again), { run: 1 })
        assert.equal(runs(), 1)
      },
    }),
  ),

  {
    name: 'compares what the fingerprint option chooses',
    async run(kit) {
      const { handler, runs } = counter()
      const bodies: Array<string | undefined> = []
      const server = await kit.start(
        {
          scope: false,
          fingerprint(req, body) {
            bodies.push(body && Buffer.from(body).toString())
            return req.header('x-order')
          },
        },
        handler,
      )
      const order = (id: string, value: unknown): ReturnType<typeof post> =>
        post(server, { key: 'k1', value, headers: [['X-Order', id]] })
      assert.equal((await order('7', { n: 1 })).status, 201)
      assert.equal((await order('7', { n: 2 })).status, 201)
      assert.equal((await order('8', { n: 1 })).status, 422)
      assert.deepEqual(bodies, ['{"n":1}', '{"n":2}', '{"n":1}'])
      assert.equal(runs(), 1)
      // Chosen from a header that is not there, it would make all requests equal.
      assert.equal((await post(server, { key: 'k2' })).status, 500)
      assert.equal(runs(), 1)
    },
  },

  ...(['length', 'chunked'] as const).map(
    (framing): AdapterCase => ({
      name: `answers 413 to a body that is too large (${framing}), before any claim`,
      async run(kit) {
        const { store, total } = countingStore(kit.createStore())
        const { handler, runs } = counter()
        const server = await kit.start({ scope: false, store, maxRequestBytes: 100_000 }, handler)
        const body = Buffer.alloc(300_000, 'x')
        const headers: Lines = [['Idempotency-Key', 'k1']]
        const connection = await RawConnection.open(server.port)
        const request =
          framing === 'length'
            ? { headers, body }
            : { headers, chunks: [body.subarray(0, 150_000), body.subarray(150_000)] }
        connection.send(request)
        const refused = await connection.answer()
        assert.equal(refused.status, 413)
        assertMembers(jsonOf(refused), { code: 'body-too-large' })
        assert.equal(total(), 0)
        // The rest of the body must not be taken for the next request, nor block it.
        if (!linesOf(refused, 'Connection').includes('close')) {
          connection.send({ headers, body: 'small' })
          assert.equal((await connection.answer()).status, 201)
          assert.equal(runs(), 1)
        }
        connection.close()
        await server.drained()
      },
    }),
  ),

  {
    name: 'hands a body of exactly maxRequestBytes on to the handler',
    async run(kit) {
      let got = 0
      const server = await kit.start({ scope: false, maxRequestBytes: 100_000 }, async (request) => {
        got = (await request.body()).length
        return { kind: 'json', status: 201, value: {} }
      })
      const body = Buffer.alloc(100_000, 'x')
      await exchange(server.port, { headers: [['Idempotency-Key', 'k1']], body })
      assert.equal(got, 100_000)
      got = 0
      await exchange(server.port, {
        headers: [['Idempotency-Key', 'k2']],
        chunks: [body.subarray(0, 7), body.subarray(7)],
      })
      assert.equal(got, 100_000)
    },
  },

  {
    name: 'hands bodies of any size on intact',
    async run(kit) {
      const server = await kit.start({ scope: false }, async (request) => ({
        kind: 'bytes',
        status: 200,
        body: await request.body(),
      }))
      let key = 0
      for (const bytes of [1, 16_383, 16_384, 65_536, 65_537, 1_000_000]) {
        const body = Buffer.from(Uint8Array.from({ length: bytes }, (_, index) => (index * 7) % 251))
        const pieces = Array.from({ length: Math.ceil(bytes / 9_000) }, (_, index) =>
          body.subarray(index * 9_000, (index + 1) * 9_000),
        )
        for (const framed of [{ body }, { chunks: pieces }]) {
          key += 1
          const headers: Lines = [['Idempotency-Key', `k${key}`]]
          const answer = await exchange(server.port, { headers, ...framed })
          assert.equal(answer.body.equals(body), true)
        }
      }
    },
  },

  {
    name: 'keeps one connection going through replays of requests with large bodies',
    async run(kit) {
      const { handler, runs } = counter()
      const server = await kit.start({ scope: false }, handler)
      const connection = await RawConnection.open(server.port)
      for (let turn = 0; turn < 4; turn += 1) {
        connection.send({ headers: [['Idempotency-Key', 'k1']], body: Buffer.alloc(500_000, 'x') })
        assert.equal((await connection.answer()).status, 201)
      }
      assert.equal(runs(), 1)
      connection.close()
      await server.drained()
    },
  },
]

function send(server: AdapterServer, request: RawRequest): Promise<RawAnswer> {
  const headers: Lines = [['Idempotency-Key', 'k1'], ...(request.headers ?? [])]
  return exchange(server.port, { ...request, headers })
}
