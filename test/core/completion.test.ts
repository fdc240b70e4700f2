import { describe, expect, test } from 'vitest'
import type { StoredResponse } from '../../src/core/record.ts'
import type { Rig } from '../support/engine-rig.ts'
import {
  answer,
  beginRun,
  call,
  createRig,
  eventsOf,
  expectProblem,
  expectReplay,
  inspect,
  leaseMs,
} from '../support/engine-rig.ts'
import { reactions } from '../support/clock.ts'
import { collectGarbage } from '../support/garbage.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

const minute = 60_000
const mebibyte = 1024 * 1024

describe('a completion that the store does not acknowledge', () => {
  test.each(['drop', 'lose-reply'] as const)(
    '%s: the client is told the truth at the time-out',
    async (fault) => {
      const rig = createRig()
      const lease = await beginRun(rig)
      rig.link.always(fault, 'complete')
      let finished: string | undefined
      void lease.finish(answer()).then((result) => (finished = result))
      await rig.time.advance(1_999)
      expect(finished).toBeUndefined()
      await rig.time.advance(1)
      expect(finished).toBe('deferred')
      expect(eventsOf(rig, 'record-deferred')).toMatchObject([
        { key: 'key', error: { name: 'DeadlineExceeded' } },
      ])
    },
  )

  test.each(['refuse', 'throw', 'break-reply'] as const)('%s: the client is told at once', async (fault) => {
    const rig = createRig()
    const lease = await beginRun(rig)
    rig.link.next('complete', fault)
    expect(await lease.finish(answer('told'))).toBe('deferred')
    expect(eventsOf(rig, 'store-error')).toMatchObject([{ operation: 'complete' }])
    await rig.time.advance(50)
    expect(eventsOf(rig, 'record-recovered')).toMatchObject([{ key: 'key', delayMs: 50 }])
    expectReplay(await rig.engine.begin(call()), 'told')
  })

  test('is tried, with renewals, until the store is back, also beyond maxRun', async () => {
    const rig = createRig()
    const lease = await beginRun(rig, { recovery: 'rerun', maxRunMs: minute })
    rig.link.always('refuse', 'complete')
    expect(await lease.finish(answer('told'))).toBe('deferred')
    await rig.time.advance(10 * minute)
    expect(rig.link.calls.complete).toBeGreaterThan(300)
    expect(eventsOf(rig, 'run-exceeded')).toEqual([])
    expectProblem(await rig.engine.begin(call({ recovery: 'rerun' })), 'in-progress')
    rig.link.heal()
    await rig.time.advance(2_000)
    expect(eventsOf(rig, 'record-recovered')).toMatchObject([{ delayMs: expect.any(Number) }])
    expectReplay(await rig.engine.begin(call({ recovery: 'rerun' })), 'told')
    await rig.time.advance(leaseMs)
    expect(rig.clock.timers).toBe(0)
  })

  test('renews again a lease that maxRun had given up', async () => {
    const rig = createRig()
    const lease = await beginRun(rig, { maxRunMs: minute })
    await rig.time.advance(2 * minute)
    expectProblem(await rig.engine.begin(call()), 'outcome-unknown')
    rig.link.always('refuse', 'complete')
    expect(await lease.finish(answer('told'))).toBe('deferred')
    await rig.time.advance(1)
    expectProblem(await rig.engine.begin(call()), 'in-progress')
    await rig.time.advance(10 * leaseMs)
    expectProblem(await rig.engine.begin(call()), 'in-progress')
    rig.link.heal()
    await rig.time.advance(2_000)
    expectReplay(await rig.engine.begin(call()), 'told')
  })

  test('landed without a reply: repeating it is acknowledged and changes nothing', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    rig.link.next('complete', 'lose-reply')
    const finished = lease.finish(answer('first'))
    await rig.time.advance(1_000)
    expectReplay(await rig.engine.begin(call()), 'first')
    await rig.time.advance(1_000)
    expect(await finished).toBe('deferred')
    const before = await inspect(rig)
    await rig.time.advance(50)
    expect(eventsOf(rig, 'record-recovered')).toHaveLength(1)
    expect(eventsOf(rig, 'lease-lost')).toEqual([])
    expect(await inspect(rig)).toEqual(before)
  })

  test('is refused as stale in the end where another took over: an event, and nothing written', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    const lease = await beginRun(rig, { recovery: 'rerun' })
    rig.link.always('refuse', 'complete', 'renew')
    expect(await lease.finish(answer('told'))).toBe('deferred')
    await rig.time.advance(2 * leaseMs)
    const next = await beginRun(other, { recovery: 'rerun' })
    rig.link.heal()
    await rig.time.advance(2_000)
    expect(eventsOf(rig, 'lease-lost')).toMatchObject([{ token: lease.held.token }])
    expect(eventsOf(rig, 'record-recovered')).toEqual([])
    expect(await next.finish(answer('next'))).toBe('recorded')
    expectReplay(await rig.engine.begin(call()), 'next')
    await rig.time.advance(leaseMs)
    expect(rig.clock.timers).toBe(0)
  })

  test('is not sent again while it is on its way', async () => {
    const rig = createRig()
    rig.link.next('complete', 'refuse', 'refuse', 'drop')
    rig.link.always('refuse', 'complete')
    await (await beginRun(rig, { key: 'hangs' })).finish(answer())
    await (await beginRun(rig, { key: 'fails' })).finish(answer())
    // At 50 ms both are tried again: the first hangs, the second fails and is tried at 150, 350, 750 and 1,550 ms.
    await rig.time.advance(1_600)
    expect(rig.link.calls.complete).toBe(2 + 2 + 4)
  })

  test('of an unknown outcome is tried again as well', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    rig.link.next('complete', 'refuse')
    await lease.finishUnknown()
    await rig.time.advance(50)
    expect(await inspect(rig)).toMatchObject({ state: 'unknown' })
  })

  test('by a store that forgot the record writes it anew', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    await rig.store.inspect?.forget(lease.held.id)
    expect(await lease.finish(answer('true'))).toBe('recorded')
    expectReplay(await rig.engine.begin(call()), 'true')
  })
})

describe('a release that the store does not acknowledge', () => {
  test('is tried again, and holds the key meanwhile', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    rig.link.always('refuse', 'release')
    expect(await lease.finish(answer('slow down', 429))).toBe('deferred')
    await rig.time.advance(10 * leaseMs)
    expectProblem(await rig.engine.begin(call()), 'in-progress')
    rig.link.heal()
    await rig.time.advance(2_000)
    expect(eventsOf(rig, 'record-recovered')).toHaveLength(1)
    await beginRun(rig)
  })

  test('landed without a reply: the next run may begin, and no loss is announced', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    rig.link.next('release', 'lose-reply')
    const finished = lease.finish(answer('slow down', 429))
    await rig.time.advance(1_000)
    const next = await beginRun(rig)
    await rig.time.advance(1_100)
    expect(await finished).toBe('deferred')
    expect(eventsOf(rig, 'lease-lost')).toEqual([])
    expect(eventsOf(rig, 'record-recovered')).toHaveLength(1)
    expect(await next.finish(answer())).toBe('recorded')
  })

  test('a renewal that meets the landed release is no loss either', async () => {
    const rig = createRig({ storeTimeout: '20s' })
    const lease = await beginRun(rig)
    rig.link.next('release', 'lose-reply')
    void lease.finish(answer('slow down', 429))
    await rig.time.advance(leaseMs / 3)
    expect(rig.link.calls.renew).toBe(1)
    expect(eventsOf(rig, 'lease-lost')).toEqual([])
  })
})

describe('finish', () => {
  test('called twice records once and answers the same', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    const both = await Promise.all([lease.finish(answer('first')), lease.finish(answer('second'))])
    expect(both).toEqual(['recorded', 'recorded'])
    await lease.finishUnknown()
    expect(rig.link.calls.complete).toBe(1)
    expectReplay(await rig.engine.begin(call()), 'first')
  })

  test('reports status, failure, tombstone and duration', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    await rig.time.advance(1_234)
    expect(lease.ageMs).toBe(1_234)
    const tombstone: StoredResponse = { kind: 'tombstone', status: 502, reason: 'cut-short' }
    await lease.finish(tombstone)
    expect(eventsOf(rig, 'completed')).toMatchObject([
      { status: 502, failed: true, tombstone: 'cut-short', durationMs: 1_234 },
    ])
  })
})

describe('memory', () => {
  test('beyond 64 MiB of waiting bodies, answers become tombstones with status and Location', async () => {
    const rig = createRig()
    rig.link.next('complete', 'refuse', 'refuse', 'refuse')
    const large = await finishWithBody(rig, 'large', 64 * mebibyte)
    await finishWithBody(rig, 'small', 1)
    // The first retry of the large one is the third refusal.
    await rig.time.advance(50)
    const { problem } = expectProblem(await rig.engine.begin(call({ key: 'small' })), 'response-not-kept')
    expect(problem.extensions).toEqual({
      originalStatus: 201,
      location: '/small',
      reason: 'store-refused',
    })
    // What has its answer, though it be a refusal, makes room for what comes next.
    await rig.store.inspect?.forget(large)
    await beginRun(rig, { key: 'large' })
    await rig.time.advance(100)
    expect(eventsOf(rig, 'lease-lost')).toHaveLength(1)
    rig.link.next('complete', 'refuse')
    await finishWithBody(rig, 'next', mebibyte)
    await rig.time.advance(50)
    expect((await rig.engine.begin(call({ key: 'next' }))).kind).toBe('replay')
  })

  test('holds nothing of the bodies beyond that bound', async () => {
    const rig = createRig()
    rig.link.always('refuse', 'complete')
    collectGarbage()
    const before = process.memoryUsage().arrayBuffers
    for (let index = 0; index < 200; index += 1) await finishWithBody(rig, `key ${index}`, mebibyte)
    // An error keeps alive what its stack went through, until somebody reads the stack.
    rig.events.length = 0
    collectGarbage()
    // Freed memory is given back a little later.
    await reactions()
    collectGarbage()
    expect((process.memoryUsage().arrayBuffers - before) / mebibyte).toBeLessThan(120)
    const closed = rig.engine.close({ graceMs: 0 })
    await rig.time.advance(0)
    await closed
    expect(eventsOf(rig, 'record-lost')).toHaveLength(200)
  })
})

async function finishWithBody(rig: Rig, key: string, bytes: number): Promise<string> {
  const lease = await beginRun(rig, { key })
  const headers = [['location', `/${key}`]] as const
  const response: StoredResponse = { kind: 'kept', status: 201, headers, body: new Uint8Array(bytes) }
  expect(await lease.finish(response)).toBe('deferred')
  return lease.held.id
}
