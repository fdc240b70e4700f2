import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { memoryStore } from '../../../src/stores/memory.ts'
import { headerOf, jsonOf, linesOf, RawConnection, type RawAnswer } from '../raw-http.ts'
import { type AdapterSubject, type ContractAnswer, counter, post } from './subject.ts'

const everyByte = Uint8Array.from({ length: 1024 }, (_, index) => index % 256)

/** Answers of every shape; each must come back as it was. */
const answers: Record<string, ContractAnswer> = {
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

export function replayCases(subject: AdapterSubject): void {
  it.for(Object.entries(answers))('repeats %s as it was', async ([, answer]) => {
    let runs = 0
    const server = await subject.start({ scope: false }, () => {
      runs += 1
      return answer
    })
    const first = await post(server, { key: 'k1' })
    const replayed = await post(server, { key: 'k1' })

    expect(runs).toBe(1)
    expect(first.status).toBe(answer.status)
    expect(linesOf(first, 'Idempotent-Replayed')).toEqual([])
    expect(linesOf(replayed, 'Idempotent-Replayed')).toEqual(['true'])
    expect(replayed.statusLine).toBe(first.statusLine)
    expect(replayed.body.equals(first.body)).toBe(true)
    expect(applicationHeaders(replayed)).toEqual(applicationHeaders(first))
    for (const [name, value] of answer.headers ?? []) expect(linesOf(replayed, name)).toContain(value)
  })

  it('gives a replay one valid framing of its own', async () => {
    const server = await subject.start({ scope: false }, () => answers['a stream without length']!)
    await post(server, { key: 'k1' })
    const replayed = await post(server, { key: 'k1' })

    // The client's parser refuses an answer with two framings, and a body that does not fit its length.
    expect(replayed.framing).toMatch(/length|chunked/)
    expect(replayed.body.toString()).toBe('one two three')
  })

  it('gives a 204 no framing, and keeps the connection usable', async () => {
    const server = await subject.start({ scope: false }, () => answers['a 204']!)
    const connection = await RawConnection.open(server.port)
    for (let turn = 0; turn < 3; turn += 1) {
      connection.send({ headers: [['Idempotency-Key', 'k1']], body: 'x' })
      const answer = await connection.answer()
      expect(answer.status).toBe(204)
      expect(linesOf(answer, 'Content-Length')).toEqual([])
      expect(linesOf(answer, 'Transfer-Encoding')).toEqual([])
    }
    connection.close()
  })

  it('dates each answer anew', async () => {
    const server = await subject.start({ scope: false }, counter().handler)
    const first = await post(server, { key: 'k1' })
    await sleep(1_050)
    const replayed = await post(server, { key: 'k1' })

    expect(linesOf(replayed, 'Date')).toHaveLength(1)
    expect(headerOf(replayed, 'Date')).not.toBe(headerOf(first, 'Date'))
  })

  it('leaves out what belongs to one exchange', async () => {
    const once: Array<[string, string]> = [
      ['Set-Cookie', 'session=1; Expires=Tue, 24 Nov 2026 03:25:00 GMT'],
      ['Set-Cookie', 'theme=dark'],
      ['X-Request-Id', 'r-1'],
      ['Server-Timing', 'db;dur=5'],
      ['RateLimit-Remaining', '9'],
      ['Age', '1'],
    ]
    const server = await subject.start({ scope: false }, () => ({
      kind: 'json',
      status: 200,
      headers: once,
      value: {},
    }))
    const first = await post(server, { key: 'k1' })
    const replayed = await post(server, { key: 'k1' })

    expect(linesOf(first, 'Set-Cookie')).toEqual([once[0]?.[1], once[1]?.[1]])
    for (const [name] of once) expect(linesOf(replayed, name)).toEqual([])
  })

  it('records Set-Cookie where it is asked for, each line apart', async () => {
    const cookies: Array<[string, string]> = [
      ['Set-Cookie', 'a=1; Expires=Tue, 24 Nov 2026 03:25:00 GMT'],
      ['Set-Cookie', 'b=2'],
    ]
    const headers: Array<[string, string]> = [...cookies, ['X-Secret', 's']]
    const server = await subject.start(
      { scope: false, replayHeaders: { include: ['Set-Cookie'], exclude: ['X-Secret'] } },
      () => ({ kind: 'json', status: 200, headers, value: {} }),
    )
    await post(server, { key: 'k1' })
    const replayed = await post(server, { key: 'k1' })

    expect(linesOf(replayed, 'Set-Cookie')).toEqual(cookies.map(([, value]) => value))
    expect(linesOf(replayed, 'X-Secret')).toEqual([])
  })

  it('says when the record expires, on first answer and replay alike', async () => {
    const server = await subject.start({ scope: false, retain: '1h' }, counter().handler)
    const first = Date.parse(headerOf(await post(server, { key: 'k1' }), 'Idempotency-Expires') ?? '')
    const replayed = Date.parse(headerOf(await post(server, { key: 'k1' }), 'Idempotency-Expires') ?? '')

    expect(first - Date.now()).toBeGreaterThan(3_590_000)
    expect(first - Date.now()).toBeLessThanOrEqual(3_600_000)
    expect(Math.abs(replayed - first)).toBeLessThanOrEqual(1_000)
  })

  it('forgets a record after `retain`', async () => {
    const { handler, runs } = counter()
    const server = await subject.start({ scope: false, retain: 30 }, handler)
    await post(server, { key: 'k1' })
    await sleep(40)
    expect(jsonOf(await post(server, { key: 'k1' }))).toEqual({ run: 2 })
    expect(runs()).toBe(2)
  })

  it('serves one record to two servers', async () => {
    const { handler, runs } = counter()
    const store = memoryStore()
    const [one, other] = [
      await subject.start({ scope: false, store }, handler),
      await subject.start({ scope: false, store }, handler),
    ]
    const first = await post(one, { key: 'k1' })
    const replayed = await post(other, { key: 'k1' })
    expect(runs()).toBe(1)
    expect(replayed.body.equals(first.body)).toBe(true)
  })
}

/** The lines that tell of the answer itself, in their order: neither framing nor hapax's own. */
function applicationHeaders(answer: RawAnswer): Array<readonly [string, string]> {
  return answer.headers.filter(([name]) => !ofThisExchange.has(name.toLowerCase()))
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
