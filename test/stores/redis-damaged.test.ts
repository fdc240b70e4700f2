// A kept failure whose answer was damaged: whoever could find out the truth must not be granted a claim that
// would write over it.
import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { startRedis } from '../../scripts/services/index.ts'
import type { StoredResponse } from '../../src/core/record.ts'
import type { ClaimRequest, ClaimResult } from '../../src/core/store.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { controlOf } from '../support/redis-connections.ts'
import { servers } from '../support/servers.ts'

const server = await servers(() => startRedis())
if (server !== undefined) {
  const control = controlOf(server.url)
  afterAll(() => server.stop())
  const prefix = `damaged-${randomUUID()}:`
  const store = redisStore(control, { prefix, silence: ['redis-evicts', 'redis-not-persistent'] })
  const body = Buffer.from('it failed')
  const plain: StoredResponse = { kind: 'kept', status: 500, headers: [['Retry', 'no']], body }
  const withTrailers: StoredResponse = { ...plain, trailers: [['Sum', '1']] }
  const tombstone: StoredResponse = { kind: 'tombstone', status: 500, reason: 'too-large', location: '/x' }

  describe('the answer of a kept failure that a recovery function asks for', () => {
    test.each<[string, StoredResponse]>([
      ['plain', plain],
      ['without headers', { ...plain, headers: [] }],
      ['with trailers', withTrailers],
      ['with empty trailers', { ...plain, trailers: [] }],
      ['with NUL, quotes, escapes and half of a pair', { ...plain, headers: [['a\0"', '\\ud800 \ud800']] }],
      ['a tombstone', tombstone],
      ['a tombstone without location', { kind: 'tombstone', status: 500, reason: 'cut-short' }],
    ])('%s: is handed over', async (_, response) => {
      const id = await failedRecord(response)
      expect(await claim(id)).toMatchObject({ kind: 'claimed', takeover: { of: 'failed', response } })
    })

    test.each<[string, StoredResponse, string, string]>([
      ['its status', plain, '500\0', '5x0\0'],
      ['its status, all of it', plain, '500\0', '\0\0\0\0'],
      ['the end of a name', plain, 'Retry\0', 'Retry '],
      ['a bracket', withTrailers, '[500,', '(500,'],
      ['a comma', withTrailers, '[500,', '[500 '],
      ['a quote', withTrailers, '"Retry"', '"Retry\\'],
      ['a header that is no text', withTrailers, '"no"', 'null'],
      ['a header without a value', withTrailers, '"Retry","no"', '"Retry":"no"'],
      ['a reason', tombstone, 'too-large', 'too-smart'],
      ['a location that is no text', tombstone, '"/x"', '1234'],
    ])('damaged in %s: unreadable, and left as it is', async (_, response, text, damage) => {
      const id = await failedRecord(response)
      const stored = (await control.getBuffer(prefix + id)) ?? Buffer.alloc(0)
      const damaged = Buffer.from(stored.toString('latin1').replace(text, damage), 'latin1')
      expect(damaged).toHaveLength(stored.length)
      expect(damaged.equals(stored)).toBe(false)
      await control.set(prefix + id, damaged, 'KEEPTTL')

      expect(await claim(id)).toMatchObject({ kind: 'unreadable', reason: expect.stringMatching(/damaged/) })
      expect(await control.getBuffer(prefix + id)).toEqual(damaged)
    })
  })

  describe('a run that may be taken over', () => {
    test.each<[string, (stored: Buffer) => Buffer, RegExp]>([
      ['the length of a digest', (stored) => changed(stored, stored.indexOf('b1') + 2, 0xff), /fingerprint/],
      ['the length of a kind', (stored) => changed(stored, stored.indexOf('b1') - 1, 0xf0), /fingerprint/],
      ['a token that no later one is above', (stored) => changed(stored, 10, 0x20), /token/],
      ['the text of a step', (stored) => changed(stored, stored.indexOf('"begun"'), 0x7b), /steps/],
      [
        'a name in the text of a step',
        (stored) => changed(stored, stored.indexOf('["charge"') + 4, 1),
        /steps/,
      ],
      ['the length of a step', (stored) => changed(stored, stored.indexOf('charge') - 4, 0xff), /steps/],
      ['the word for a step', (stored) => changed(stored, stored.indexOf('begun'), 0x42), /steps/],
      ['the length of all steps', (stored) => changed(stored, stored.indexOf('charge') - 10, 0), /steps/],
    ])(
      'damaged in %s: unreadable to claims and to operators, and left as it is',
      async (_, damage, reason) => {
        const id = await lapsedRecord()
        const stored = (await control.getBuffer(prefix + id)) ?? Buffer.alloc(0)
        const damaged = damage(stored)
        expect(damaged.equals(stored)).toBe(false)
        await control.set(prefix + id, damaged, 'KEEPTTL')

        expect(await claim(id)).toMatchObject({ kind: 'unreadable', reason: expect.stringMatching(reason) })
        expect(await store.inspect?.get(id)).toMatchObject({ state: 'unreadable' })
        expect(await control.getBuffer(prefix + id)).toEqual(damaged)
      },
    )

    test.each([
      ['running', 1],
      ['completed', 3],
      ['unknown', 4],
    ])('%s without a fingerprint: is never run as new', async (_, state) => {
      const id = randomUUID()
      const request = requestFor(id)
      const { token } = Object(await store.claim(request))
      const lease = { ...request, token, attempt: 1, takeover: false }
      expect(await store.release(lease, { clean: true })).toBe('written')
      const stored = (await control.getBuffer(prefix + id)) ?? Buffer.alloc(0)
      // A clean release has none; what it stands for is one byte away.
      const damaged =
        state === 1 ? Buffer.concat([changed(stored, 39, 6), Buffer.alloc(5), Buffer.of(0xff)]) : stored
      await control.set(prefix + id, changed(damaged, 1, state), 'KEEPTTL')
      expect(await claim(id)).toMatchObject({
        kind: 'unreadable',
        reason: expect.stringMatching(/fingerprint/),
      })
      expect(await store.inspect?.get(id)).toMatchObject({ state: 'unreadable' })
    })

    test('with its steps: is taken over', async () => {
      const id = await lapsedRecord()
      expect(await claim(id)).toMatchObject({
        kind: 'claimed',
        takeover: { of: 'released' },
        steps: [
          { name: 'charge' },
          { name: 'half \ud83d of a pair', result: { json: '"\\ud83d"' } },
          { name: 'void' },
        ],
      })
    })

    test('whose lease has a byte too many is unreadable to operators too', async () => {
      const request = requestFor(randomUUID())
      await store.claim(request)
      const stored = (await control.getBuffer(prefix + request.id)) ?? Buffer.alloc(0)
      const longer = Buffer.concat([changed(stored, 39, 7), Buffer.of(0)])
      await control.set(prefix + request.id, longer, 'KEEPTTL')
      expect(await claim(request.id)).toMatchObject({ kind: 'unreadable' })
      expect(await store.inspect?.get(request.id)).toMatchObject({ state: 'unreadable' })
    })
  })

  function changed(stored: Buffer, at: number, byte: number): Buffer {
    const copy = Buffer.from(stored)
    copy[at] = byte
    return copy
  }

  /** With steps, and open to whoever can find out what became of it. */
  async function lapsedRecord(): Promise<string> {
    const request = requestFor(randomUUID())
    const result = await store.claim(request)
    if (result.kind !== 'claimed') throw new Error(`The claim was not granted: ${result.kind}.`)
    const lease = { ...request, token: result.token, attempt: result.attempt, takeover: false }
    await store.recordStep(lease, { state: 'begun', name: 'charge', safe: true })
    const json = { kind: 'json', json: '"\\ud83d"' } as const
    await store.recordStep(lease, {
      state: 'finished',
      name: 'half \ud83d of a pair',
      input: 'x',
      result: json,
    })
    await store.recordStep(lease, { state: 'finished', name: 'void', result: { kind: 'nothing' } })
    await store.release(lease, { clean: false })
    return request.id
  }

  function claim(id: string): Promise<ClaimResult> {
    return store.claim(requestFor(id))
  }

  async function failedRecord(response: StoredResponse): Promise<string> {
    const request = requestFor(randomUUID())
    const result = await store.claim(request)
    if (result.kind !== 'claimed') throw new Error(`The claim was not granted: ${result.kind}.`)
    const lease = { ...request, token: result.token, attempt: result.attempt, takeover: false }
    await store.complete(lease, { kind: 'response', failed: true, response })
    return request.id
  }
}

function requestFor(id: string): ClaimRequest {
  const policy = { recovery: 'reconcile', retainMs: 60_000, retainUnknownMs: 60_000 } as const
  return { id, owner: randomUUID(), fingerprint: 'b1:x', policy, leaseMs: 30_000 }
}
