import { setTimeout as sleep } from 'node:timers/promises'
import assert from 'node:assert/strict'
import { headerOf, jsonOf, linesOf, RawConnection, type RawAnswer } from './raw-http.ts'
import { type AdapterCase, type AdapterAnswer, counter, post } from './subject.ts'

const everyByte = Uint8Array.from({ length: 1024 }, (_, index) => index % 256)

/** Answers of every shape; each must come back as it was. */
const answers: Record<string, AdapterAnswer> = {
  JSON: { kind: 'json', status: 201, value: { id: 'o_1', total: 12.5, note: 'Grüße' } },
  'all 256 byte values': {
    kind: 'bytes',
    status: 200,
    headers: [['Content-Type', 'application/octet-stream']],
    body: everyByte,
  },
  'a stream without length': {
    kind: 'stream',
    status: 200,
    headers: [['Content-Type', 'text/plain; charset=utf-8']],
    chunks: async function* () {
      for (const word of ['one ', 'two ', 'three']) {
        await sleep(1)
        yield Buffer.from(word)
      }
    },
  },
  'a 204': { kind: 'empty', status: 204 },
  'an empty 200': { kind: 'empty', status: 200 },
  'a 201 with only a Location': { kind: 'empty', status: 201, headers: [['Location', '/orders/17']] },
  'a 303': { kind: 'empty', status: 303, headers: [['Location', '/orders/17']] },
  'a business error': { kind: 'json', status: 402, value: { error: 'card_declined' } },
  'repeated lines': {
    kind: 'json',
    status: 200,
    headers: [
      ['Link', '</orders?page=2>; rel="next"'],
      ['Link', '</orders?page=9>; rel="last"'],
      ['X-Multi', 'a, "b,c"'],
      ['X-Multi', 'd'],
    ],
    value: {},
  },
  'a Latin-1 header': {
    kind: 'json',
    status: 200,
    headers: [['X-Name', 'Bj\u00f6rn \u00ff']],
    value: {},
  },
  'headers of the representation': {
    kind: 'bytes',
    status: 200,
    headers: [
      ['Content-Type', 'text/csv; charset=utf-8; header=present'],
      ['Content-Language', 'de'],
      ['Content-Disposition', 'attachment; filename="a b.csv"'],
      ['ETag', '"abc"'],
      ['Last-Modified', 'Tue, 24 Nov 2026 03:25:00 GMT'],
      ['Cache-Control', 'private, max-age=60'],
      ['Vary', 'Accept-Language'],
    ],
    body: Buffer.from('a,b\n'),
  },
}

export const replayCases: readonly AdapterCase[] = [
  ...Object.entries(answers).map(
    ([what, answer]): AdapterCase => ({
      name: `repeats ${what} as it was`,
      ...(what === 'repeated lines' && { needs: [what] }),
      ...(what.includes('header') && { needs: ['spelling of headers'] }),
      async run(kit) {
        let runs = 0
        const server = await kit.start({ scope: false }, () => {
          runs += 1
          return answer
        })
        const first = await post(server, { key: 'k1' })
        const replayed = await post(server, { key: 'k1' })

        assert.equal(runs, 1)
        assert.equal(first.status, answer.status)
        assert.deepEqual(linesOf(first, 'Idempotent-Replayed'), [])
        assert.deepEqual(linesOf(replayed, 'Idempotent-Replayed'), ['true'])
        assert.equal(replayed.statusLine, first.statusLine)
        assert.equal(replayed.body.equals(first.body), true)
        assert.deepEqual(applicationHeaders(replayed), applicationHeaders(first))
        for (const [name, value] of answer.headers ?? []) assert(linesOf(replayed, name).includes(value))
      },
    }),
  ),

  {
    name: 'repeats every header, in whatever case and order',
    async run(kit) {
      for (const what of ['a Latin-1 header', 'headers of the representation'] as const) {
        const answer = answers[what]!
        const server = await kit.start({ scope: false }, () => answer)
        const first = await post(server, { key: 'k1' })
        const replayed = await post(server, { key: 'k1' })
        assert.deepEqual(linesOf(replayed, 'Idempotent-Replayed'), ['true'])
        assert.deepEqual(inAnyCase(replayed), inAnyCase(first))
        for (const [name, value] of answer.headers ?? []) assert.deepEqual(linesOf(replayed, name), [value])
      }
    },
  },

  {
    name: 'gives a replay one valid framing of its own',
    async run(kit) {
      const server = await kit.start({ scope: false }, () => answers['a stream without length']!)
      await post(server, { key: 'k1' })
      const replayed = await post(server, { key: 'k1' })

      // The client's parser refuses an answer with two framings, and a body that does not fit its length.
      assert.match(replayed.framing ?? '', /length|chunked/)
      assert.equal(replayed.body.toString(), 'one two three')
    },
  },

  {
    name: 'gives a 204 no framing, and keeps the connection usable',
    async run(kit) {
      const server = await kit.start({ scope: false }, () => answers['a 204']!)
      const connection = await RawConnection.open(server.port)
      for (let turn = 0; turn < 3; turn += 1) {
        connection.send({ headers: [['Idempotency-Key', 'k1']], body: 'x' })
        const answer = await connection.answer()
        assert.equal(answer.status, 204)
        assert.deepEqual(linesOf(answer, 'Content-Length'), [])
        assert.deepEqual(linesOf(answer, 'Transfer-Encoding'), [])
      }
      connection.close()
    },
  },

  {
    name: 'dates each answer anew',
    async run(kit) {
      const server = await kit.start({ scope: false }, counter().handler)
      const first = await post(server, { key: 'k1' })
      await sleep(1_050)
      const replayed = await post(server, { key: 'k1' })

      assert.equal(linesOf(replayed, 'Date').length, 1)
      assert.notEqual(headerOf(replayed, 'Date'), headerOf(first, 'Date'))
    },
  },

  {
    name: 'leaves out what belongs to one exchange',
    async run(kit) {
      const once: Array<[string, string]> = [
        ['Set-Cookie', 'session=1; Expires=Tue, 24 Nov 2026 03:25:00 GMT'],
        ['Set-Cookie', 'theme=dark'],
        ['X-Request-Id', 'r-1'],
        ['Server-Timing', 'db;dur=5'],
        ['RateLimit-Remaining', '9'],
        ['Age', '1'],
      ]
      const server = await kit.start({ scope: false }, () => ({
        kind: 'json',
        status: 200,
        headers: once,
        value: {},
      }))
      const first = await post(server, { key: 'k1' })
      const replayed = await post(server, { key: 'k1' })

      assert.deepEqual(linesOf(first, 'Set-Cookie'), [once[0]?.[1], once[1]?.[1]])
      for (const [name] of once) assert.deepEqual(linesOf(replayed, name), [])
    },
  },

  {
    name: 'records Set-Cookie where it is asked for, each line apart',
    async run(kit) {
      const cookies: Array<[string, string]> = [
        ['Set-Cookie', 'a=1; Expires=Tue, 24 Nov 2026 03:25:00 GMT'],
        ['Set-Cookie', 'b=2'],
      ]
      const headers: Array<[string, string]> = [...cookies, ['X-Secret', 's']]
      const server = await kit.start(
        { scope: false, replayHeaders: { include: ['Set-Cookie'], exclude: ['X-Secret'] } },
        () => ({ kind: 'json', status: 200, headers, value: {} }),
      )
      await post(server, { key: 'k1' })
      const replayed = await post(server, { key: 'k1' })

      assert.deepEqual(
        linesOf(replayed, 'Set-Cookie'),
        cookies.map(([, value]) => value),
      )
      assert.deepEqual(linesOf(replayed, 'X-Secret'), [])
    },
  },

  {
    name: 'says when the record expires, on first answer and replay alike',
    async run(kit) {
      const server = await kit.start({ scope: false, retain: '1h' }, counter().handler)
      const first = Date.parse(headerOf(await post(server, { key: 'k1' }), 'Idempotency-Expires') ?? '')
      const replayed = Date.parse(headerOf(await post(server, { key: 'k1' }), 'Idempotency-Expires') ?? '')

      assert(first - Date.now() > 3_590_000)
      assert(first - Date.now() <= 3_600_000)
      assert(Math.abs(replayed - first) <= 1_000)
    },
  },

  {
    name: 'forgets a record after `retain`',
    async run(kit) {
      const { handler, runs } = counter()
      const server = await kit.start({ scope: false, retain: 30 }, handler)
      await post(server, { key: 'k1' })
      await sleep(40)
      assert.deepEqual(jsonOf(await post(server, { key: 'k1' })), { run: 2 })
      assert.equal(runs(), 2)
    },
  },

  {
    name: 'serves one record to two servers',
    async run(kit) {
      const { handler, runs } = counter()
      const store = kit.createStore()
      const [one, other] = [
        await kit.start({ scope: false, store }, handler),
        await kit.start({ scope: false, store }, handler),
      ]
      const first = await post(one, { key: 'k1' })
      const replayed = await post(other, { key: 'k1' })
      assert.equal(runs(), 1)
      assert.equal(replayed.body.equals(first.body), true)
    },
  },
]

/** The lines that tell of the answer itself, in their order: neither framing nor hapax's own. */
function applicationHeaders(answer: RawAnswer): Array<readonly [string, string]> {
  return answer.headers.filter(([name]) => !ofThisExchange.has(name.toLowerCase()))
}

function inAnyCase(answer: RawAnswer): string[] {
  return applicationHeaders(answer)
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`)
    .toSorted()
}

const ofThisExchange = new Set([
  'connection',
  'content-length',
  'date',
  'idempotency-expires',
  'idempotent-replayed',
  'keep-alive',
  'transfer-encoding',
])
