import { describe, expect, test } from 'vitest'
import type { Store } from '../../src/core/store.ts'
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
  leaseOf,
} from '../support/engine-rig.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

const minute = 60_000

describe('one heartbeat', () => {
  const patient = { timeout: 60_000 }

  test('keeps 10,000 leases with two timers and one batch for each third', patient, async () => {
    const rig = createRig()
    const leases = await Promise.all(
      Array.from({ length: 10_000 }, (_, index) => beginRun(rig, { key: `key ${index}` })),
    )
    // The heartbeat's, and the one that bounds store operations.
    expect(rig.clock.timers).toBeLessThanOrEqual(2)
    await rig.time.advance(3 * leaseMs)
    expect(rig.clock.timers).toBeLessThanOrEqual(2)
    expect(rig.link.calls.renew).toBe(9)
    expect(await inspect(rig, 'key 9999')).toMatchObject({ state: 'running' })
    expect(await Promise.all(leases.map((lease) => lease.finish(answer())))).toEqual(
      Array.from({ length: 10_000 }, () => 'recorded'),
    )
  })

  test('renews leases that began at different times together', async () => {
    const rig = createRig()
    for (let index = 0; index < 100; index += 1) {
      await beginRun(rig, { key: `key ${index}` })
      await rig.time.advance(100)
    }
    const { renew } = rig.link.calls
    await rig.time.advance(10 * leaseMs)
    // One batch each third would be 30; ones of their own, 3,000.
    expect(rig.link.calls.renew - renew).toBeLessThanOrEqual(90)
  })

  test('is not armed when nothing runs', async () => {
    const rig = createRig()
    expect(rig.clock.timers).toBe(0)
    await (await beginRun(rig)).finish(answer())
    await rig.time.advance(leaseMs)
    expect(rig.clock.timers).toBe(0)
    expect(rig.link.calls.renew).toBe(0)
    await beginRun(rig, { key: 'next' })
    await rig.time.advance(leaseMs / 3)
    expect(rig.link.calls.renew).toBe(1)
  })

  test('renews a short lease though a long one is waited for', async () => {
    const rig = createRig()
    await beginRun(rig, { key: 'long', leaseMs: minute })
    await beginRun(rig, { key: 'short', leaseMs: 300, recovery: 'rerun' })
    await rig.time.advance(3_000)
    expectProblem(await rig.engine.begin(call({ key: 'short', recovery: 'rerun' })), 'in-progress')
    expectProblem(await rig.engine.begin(call({ key: 'long' })), 'in-progress')
  })
})

describe('renewal', () => {
  test('keeps a handler that is slower than its lease in progress', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    await rig.time.advance(10 * minute)
    expectProblem(await rig.engine.begin(call()), 'in-progress')
    expect(lease.signal.aborted).toBe(false)
    expect(await lease.finish(answer())).toBe('recorded')
  })

  test.each(['refuse', 'throw', 'drop', 'break-reply'] as const)(
    '%s: is tried again soon, and the lease survives an outage shorter than it',
    async (fault) => {
      const rig = createRig()
      const lease = await beginRun(rig, { recovery: 'rerun' })
      rig.link.always(fault, 'renew')
      await rig.time.advance(leaseMs - 4_000)
      expect(rig.link.calls.renew).toBeGreaterThan(4)
      expect(eventsOf(rig, 'store-error')[0]).toMatchObject({ operation: 'renew' })
      rig.link.heal()
      await rig.time.advance(minute)
      expect(lease.signal.aborted).toBe(false)
      expectProblem(await rig.engine.begin(call({ recovery: 'rerun' })), 'in-progress')
    },
  )

  test('that answers for fewer leases than it was asked about counts as failed for the others', async () => {
    const rig = createRig()
    const store = { ...rig.link.store, renew: async () => [] }
    const forgetful = createRig({ beside: { ...rig, store } })
    const lease = await beginRun(forgetful, { recovery: 'rerun' })
    await rig.time.advance(leaseMs)
    expect(lease.signal.aborted).toBe(true)
  })

  test('that is on its way is not sent again with the renewals of others', async () => {
    const rig = createRig()
    const batches: number[] = []
    const store: Store = {
      ...rig.link.store,
      renew(leases) {
        batches.push(leases.length)
        return rig.link.store.renew(leases)
      },
    }
    const counted = createRig({ beside: { ...rig, store } })
    rig.link.next('renew', { replyDelayMs: 1_500 })
    await beginRun(counted, { key: 'first' })
    await rig.time.advance(leaseMs / 3)
    await beginRun(counted, { key: 'second', leaseMs: 3_000 })
    await rig.time.advance(1_000)
    expect(batches).toEqual([1, 1])
  })

  test('that is refused aborts the signal and says so once', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    const { signal } = lease
    rig.clock.stalled = true
    await rig.time.advance(leaseMs)
    await rig.store.inspect?.settle(lease.held.id, { kind: 'response', response: answer('settled') })
    rig.clock.stalled = false
    await rig.time.advance(1)
    expect(signal.aborted).toBe(true)
    expect(signal.reason).toMatchObject({ code: 'outcome-unknown' })
    expect(await lease.finish(answer('mine'))).toBe('withheld')
    expect(eventsOf(rig, 'lease-lost')).toMatchObject([{ key: 'key', token: lease.held.token }])
    expectReplay(await rig.engine.begin(call()), 'settled')
  })

  test('gives a signal that is first asked for after the loss', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    await rig.store.inspect?.forget(lease.held.id)
    leaseOf(await rig.engine.begin(call()))
    await rig.time.advance(leaseMs / 3)
    expect(lease.signal.aborted).toBe(true)
    expect(lease.signal.reason).toMatchObject({ code: 'outcome-unknown' })
  })

  test('goes by the monotonic clock: setting the wall clock changes nothing', async () => {
    const rig = createRig()
    const lease = await beginRun(rig, { recovery: 'rerun' })
    rig.clock.jumpWall(24 * 60 * minute)
    await rig.time.advance(1)
    expect(lease.signal.aborted).toBe(false)
    rig.clock.jumpWall(-48 * 60 * minute)
    await rig.time.advance(leaseMs / 3)
    expect(rig.link.calls.renew).toBe(1)
    await rig.time.advance(10 * leaseMs)
    expect(lease.signal.aborted).toBe(false)
    expect(await lease.finish(answer())).toBe('recorded')
  })
})

describe('the local deadline', () => {
  test('aborts where takeover is allowed, counted from sending what was acknowledged last', async () => {
    const rig = createRig()
    rig.link.next('claim', { replyDelayMs: 1_500 })
    const begun = rig.engine.begin(call({ recovery: 'rerun' }))
    await rig.time.advance(1_500)
    const lease = leaseOf(await begun)
    const { signal } = lease
    rig.link.always('refuse', 'renew')
    await rig.time.advance(leaseMs - 1_500 - 1)
    expect(signal.aborted).toBe(false)
    await rig.time.advance(1)
    expect(signal.aborted).toBe(true)
    expect(eventsOf(rig, 'lease-lost')).toEqual([])
  })

  test('counts from sending a renewal too, not from its reply', async () => {
    const rig = createRig()
    const { signal } = await beginRun(rig, { recovery: 'rerun' })
    rig.link.next('renew', { replyDelayMs: 1_500 })
    await rig.time.advance(leaseMs / 3 + 1_500)
    rig.link.always('refuse', 'renew')
    await rig.time.advance(leaseMs - 1_500 - 1)
    expect(signal.aborted).toBe(false)
    await rig.time.advance(1)
    expect(signal.aborted).toBe(true)
  })

  test('does not abort under refuse, where nobody may take over', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    rig.link.always('refuse', 'renew')
    await rig.time.advance(10 * leaseMs)
    expect(lease.signal.aborted).toBe(false)
    expect(await lease.finish(answer())).toBe('recorded')
  })

  test('a lease that nobody took over meanwhile records the truth all the same', async () => {
    const rig = createRig()
    const lease = await beginRun(rig, { recovery: 'rerun' })
    rig.link.always('refuse', 'renew')
    await rig.time.advance(2 * leaseMs)
    expect(await lease.finish(answer('true'))).toBe('recorded')
    expectReplay(await rig.engine.begin(call()), 'true')
  })
})

describe('a process that stalls past its lease', () => {
  test('records the truth where nobody took over; outcome-unknown meanwhile was provisional', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    const lease = await beginRun(rig)
    rig.clock.stalled = true
    await rig.time.advance(2 * leaseMs)
    expectProblem(await other.engine.begin(call()), 'outcome-unknown')
    rig.clock.stalled = false
    expect(await lease.finish(answer('true'))).toBe('recorded')
    expectReplay(await other.engine.begin(call()), 'true')
  })

  test('is in progress again as soon as it renews', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    await beginRun(rig, { recovery: 'rerun' })
    rig.clock.stalled = true
    await rig.time.advance(2 * leaseMs)
    rig.clock.stalled = false
    await rig.time.advance(1)
    expectProblem(await other.engine.begin(call({ recovery: 'rerun' })), 'in-progress')
  })

  test('is stale after a takeover: records nothing, and says so', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    const late = await beginRun(rig, { recovery: 'rerun' })
    rig.clock.stalled = true
    await rig.time.advance(2 * leaseMs)
    const next = await beginRun(other, { recovery: 'rerun' })
    expect(next.held).toMatchObject({ attempt: 2, takeover: true })
    expect(next.held.token).toBeGreaterThan(late.held.token)
    rig.clock.stalled = false
    expect(await late.finish(answer('late'))).toBe('withheld')
    expect(eventsOf(rig, 'lease-lost')).toMatchObject([{ token: late.held.token }])
    expect(eventsOf(rig, 'completed')).toEqual([])
    expect(await next.finish(answer('next'))).toBe('recorded')
    expectReplay(await rig.engine.begin(call()), 'next')
  })

  test('is told by its first renewal', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    const late = await beginRun(rig, { recovery: 'rerun' })
    const { signal } = late
    rig.clock.stalled = true
    await rig.time.advance(2 * leaseMs)
    await beginRun(other, { recovery: 'rerun' })
    rig.clock.stalled = false
    await rig.time.advance(1)
    expect(signal.aborted).toBe(true)
    expect(eventsOf(rig, 'lease-lost')).toHaveLength(1)
  })
})

describe('maxRun', () => {
  test('stops renewals for a handler that never answers, so that its key lapses', async () => {
    const rig = createRig()
    const lease = await beginRun(rig, { maxRunMs: 5 * minute })
    await rig.time.advance(5 * minute - 1)
    expectProblem(await rig.engine.begin(call()), 'in-progress')
    expect(eventsOf(rig, 'run-exceeded')).toEqual([])
    await rig.time.advance(1)
    expect(eventsOf(rig, 'run-exceeded')).toMatchObject([{ key: 'key', durationMs: 5 * minute }])
    const { renew } = rig.link.calls
    await rig.time.advance(leaseMs)
    expect(rig.link.calls.renew).toBe(renew)
    expectProblem(await rig.engine.begin(call()), 'outcome-unknown')
    expect(eventsOf(rig, 'run-exceeded')).toHaveLength(1)
    expect(lease.signal.aborted).toBe(false)
    await rig.time.advance(minute)
    expect(rig.clock.timers).toBe(0)
  })

  test('leaves the outcome recordable where nobody took over', async () => {
    const rig = createRig()
    const lease = await beginRun(rig, { maxRunMs: minute })
    await rig.time.advance(10 * minute)
    expect(await lease.finish(answer('late and true'))).toBe('recorded')
    expectReplay(await rig.engine.begin(call()), 'late and true')
  })

  test('aborts the signal once another may take over, and not before', async () => {
    const rig = createRig()
    const lease = await beginRun(rig, { maxRunMs: minute, recovery: 'rerun' })
    const { signal } = lease
    await rig.time.advance(minute)
    expect(eventsOf(rig, 'run-exceeded')).toHaveLength(1)
    expect(signal.aborted).toBe(false)
    await rig.time.advance(leaseMs)
    expect(signal.aborted).toBe(true)
    const next = await beginRun(rig, { recovery: 'rerun' })
    expect(await lease.finish(answer())).toBe('withheld')
    expect(await next.finish(answer())).toBe('recorded')
  })
})
