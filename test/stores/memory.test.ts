import { describe, expect, test } from 'vitest'
import type { Timer } from '../../src/core/clock.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testStore } from '../../src/testing/index.ts'
import { ManualClock } from './manual-clock.ts'
import { answer, mustClaim, policy, record, replayed, requestFor } from './verbs.ts'

testStore(
  { describe, test },
  {
    name: 'memory',
    capabilities: { shared: false, watch: true, inspect: true },
    create: () => new ManualClock(),
    connect: (clock) => memoryStore({ clock }),
    advance: (clock, durationMs) => clock.advance(durationMs),
  },
)

const brief = { policy: { ...policy, retainMs: 1_000, retainUnknownMs: 1_000 }, leaseMs: 1_000 }

describe('a memory store that is full', () => {
  test('refuses a new key, drops nothing that is good, and takes keys again once others expired', async () => {
    const clock = new ManualClock()
    const store = memoryStore({ maxRecords: 3, clock })
    await record(store, 'a', 'answer')
    const held = await mustClaim(store, 'b', brief)
    await mustClaim(store, 'c')
    await expect(store.claim(requestFor('d'))).rejects.toMatchObject({
      code: 'store-full',
      message: expect.stringContaining('3 of 3 records'),
    })
    expect(await replayed(store, 'a')).toBe('answer')
    expect(await replayed(store, 'c')).toBe('(running)')

    expect(await store.renew([held])).toEqual(['renewed'])
    expect(await store.complete(held, answer('b'))).toBe('written')
    expect(await replayed(store, 'b')).toBe('b')
    clock.advance(1_000)
    await mustClaim(store, 'd')
    await expect(store.claim(requestFor('e'))).rejects.toMatchObject({ code: 'store-full' })
    expect(await replayed(store, 'a')).toBe('answer')
    await store.close()
  })

  test('still lets a key that it holds be released, claimed again and asserted again', async () => {
    const store = memoryStore({ maxRecords: 1 })
    const lease = await mustClaim(store, 'a')
    await store.release(lease, { clean: true })
    const again = await mustClaim(store, 'a')
    await expect(store.claim(requestFor('b'))).rejects.toMatchObject({ code: 'store-full' })
    expect(await store.renew([{ ...again, id: 'forgotten' }])).toEqual(['renewed'])
    expect(await replayed(store, 'forgotten')).toBe('(running)')
    await store.close()
  })

  test('keeps a tombstone where an answer finds no room, and the next small answer whole', async () => {
    const store = memoryStore({ maxBytes: 40_000 })
    const large = await mustClaim(store, 'large')
    const small = await mustClaim(store, 'small')
    const outcome = answer('x'.repeat(50_000), {
      status: 201,
      headers: [
        ['content-type', 'text/plain'],
        ['Location', '/orders/1'],
      ],
    })
    expect(await store.complete(large, outcome)).toBe('written')
    expect(await store.claim(requestFor('large'))).toMatchObject({
      kind: 'completed',
      response: { kind: 'tombstone', status: 201, location: '/orders/1', reason: 'store-refused' },
    })
    await store.complete(small, answer('x'.repeat(20_000)))
    expect(await replayed(store, 'small')).toBe('x'.repeat(20_000))
    await store.close()
  })

  test('counts bytes, and gives those of expired records back', async () => {
    const clock = new ManualClock()
    const store = memoryStore({ maxBytes: 100_000, clock })
    for (let index = 0; index < 4; index += 1) {
      await store.complete(await mustClaim(store, `brief${index}`, brief), answer('x'.repeat(20_000)))
    }
    await expect(fill(store)).rejects.toMatchObject({ code: 'store-full' })
    clock.advance(1_000)
    const lease = await mustClaim(store, 'next')
    await store.complete(lease, answer('x'.repeat(60_000)))
    expect(await replayed(store, 'next')).toBe('x'.repeat(60_000))
    await store.close()

    async function fill(filled: typeof store): Promise<void> {
      for (let index = 0; index < 100; index += 1) await mustClaim(filled, `fill${index}`, brief)
    }
  })

  test('does not fill up while keys expire as fast as they come', async () => {
    const clock = new ManualClock()
    const store = memoryStore({ maxRecords: 100, clock })
    for (let index = 0; index < 20_000; index += 1) {
      await store.complete(await mustClaim(store, `k${index}`, brief), answer('x'))
      clock.advance(20)
    }
    await store.close()
  })
})

test('an idle store sweeps what expires with a single timer, and rests when it is empty', async () => {
  const clock = new TimerClock()
  const store = memoryStore({ clock })
  for (let index = 0; index < 50; index += 1) await mustClaim(store, `k${index}`, brief)
  expect(clock.timers).toHaveLength(1)
  clock.advance(2_000)
  clock.fire()
  expect(clock.timers).toHaveLength(0)
  await mustClaim(store, 'next', brief)
  expect(clock.timers).toHaveLength(1)
  await store.close()
  expect(clock.timers).toHaveLength(0)
})

test('a wall clock that goes back ends no lease early and stops no time', async () => {
  const clock = new ManualClock()
  const store = memoryStore({ clock })
  const lease = await mustClaim(store, 'k', { leaseMs: 10_000 })
  clock.jump(-86_400_000)
  expect(await store.claim(requestFor('k'))).toMatchObject({ kind: 'running', leaseLeftMs: 10_000 })
  clock.advance(10_000)
  expect(await store.claim(requestFor('k'))).toEqual({ kind: 'lapsed' })
  await store.inspect?.forget('k')
  expect((await mustClaim(store, 'k')).token).toBeGreaterThan(lease.token)
  await store.close()
})

test('is not durable, and says so', () => {
  expect(memoryStore()).toMatchObject({ name: 'memory', durable: false })
})

test.each([
  ['maxRecords', { maxRecords: 0 }],
  ['maxRecords', { maxRecords: '5' }],
  ['maxBytes', { maxBytes: 1.5 }],
  ['clock', { clock: {} }],
  ['maxEntries', { maxEntries: 5 }],
])('a wrong option %s is named', (name, options) => {
  // What JavaScript programs can pass, types or not.
  const wrong: object = options
  expect(() => memoryStore(wrong)).toThrow(
    expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(`"${name}"`) }),
  )
})

/** Timers fire when they are told to. */
class TimerClock extends ManualClock {
  readonly timers: (() => void)[] = []

  override setTimer = (callback: () => void): Timer => {
    this.timers.push(callback)
    return { cancel: () => void this.timers.splice(this.timers.indexOf(callback), 1) }
  }

  fire(): void {
    for (const callback of this.timers.splice(0)) callback()
  }
}
