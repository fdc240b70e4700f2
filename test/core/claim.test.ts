import { describe, expect, test } from 'vitest'
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
  retryAfterOf,
} from '../support/engine-rig.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

describe('one winner', () => {
  test('of 200 simultaneous requests in two processes one may run', async () => {
    const one = createRig()
    const two = createRig({ beside: one })
    const decisions = await Promise.all(
      Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? one : two).engine.begin(call())),
    )
    expect(decisions.filter((decision) => decision.kind === 'proceed')).toHaveLength(1)
    for (const decision of decisions) {
      if (decision.kind !== 'proceed') expectProblem(decision, 'in-progress')
    }
  })

  test('a claim that a driver sends twice is one claim', async () => {
    const rig = createRig()
    rig.link.next('claim', 'repeat')
    const lease = await beginRun(rig)
    expect(lease.held.attempt).toBe(1)
    expect(await lease.finish(answer())).toBe('recorded')
  })

  test('another scope or key is another record', async () => {
    const rig = createRig()
    await beginRun(rig)
    leaseOf(await rig.engine.begin(call({ scope: 'someone else' })))
    leaseOf(await rig.engine.begin(call({ key: 'other' })))
  })

  test('a claim after the winner finished is a replay', async () => {
    const rig = createRig()
    await (await beginRun(rig)).finish(answer('once'))
    expectReplay(await rig.engine.begin(call()), 'once')
    expect(eventsOf(rig, 'replayed')).toMatchObject([{ status: 201, waited: false }])
  })
})

describe('the store is down at the claim', () => {
  test.each(['drop', 'lose-reply'] as const)('%s: 503 at the time-out and not before', async (fault) => {
    const rig = createRig({ storeTimeout: '2s' })
    rig.link.always(fault, 'claim')
    let decided = false
    const decision = rig.engine.begin(call()).finally(() => {
      decided = true
    })
    await rig.time.advance(1_999)
    expect(decided).toBe(false)
    await rig.time.advance(1)
    expect(decided).toBe(true)
    expect(expectProblem(await decision, 'store-unavailable').problem.status).toBe(503)
    expect(retryAfterOf(await decision)).toBe('1')
    expect(expectProblem(await decision, 'store-unavailable')).not.toHaveProperty('expiresAtMs')
    expect(eventsOf(rig, 'store-error')).toMatchObject([
      { operation: 'claim', error: { name: 'DeadlineExceeded' } },
    ])
  })

  test.each(['refuse', 'throw', 'break-reply'] as const)('%s: 503 at once', async (fault) => {
    const rig = createRig()
    rig.link.next('claim', fault)
    expectProblem(await rig.engine.begin(call()), 'store-unavailable')
    expect(eventsOf(rig, 'store-error')).toMatchObject([
      { operation: 'claim', error: { message: 'The link broke on claim.' } },
    ])
  })

  test('bypass runs without a lease and says why', async () => {
    const rig = createRig({ onStoreError: 'bypass' })
    rig.link.next('claim', 'refuse')
    expect(await rig.engine.begin(call())).toEqual({ kind: 'bypass' })
    expect(eventsOf(rig, 'bypassed')).toMatchObject([{ key: 'key', scope: 'user', error: { name: 'Error' } }])
  })

  test('bypass after a time-out gives the claim back that landed', async () => {
    const rig = createRig({ onStoreError: 'bypass' })
    rig.link.next('claim', 'lose-reply')
    const decision = rig.engine.begin(call())
    await rig.time.advance(2_000)
    expect(await decision).toEqual({ kind: 'bypass' })
    expect(await inspect(rig)).toMatchObject({ state: 'released' })
  })
})

describe('a claim that was given up', () => {
  test('is undone at once where it had landed, so that the retry runs', async () => {
    const rig = createRig()
    rig.link.next('claim', 'break-reply')
    await rig.engine.begin(call())
    expect(await inspect(rig)).toMatchObject({ state: 'released' })
    await beginRun(rig)
  })

  test('is undone by the heartbeat where it lands later', async () => {
    const rig = createRig()
    rig.link.next('claim', { requestDelayMs: 9_500 })
    const decision = rig.engine.begin(call())
    await rig.time.advance(9_499)
    expectProblem(await decision, 'store-unavailable')
    expect(await inspect(rig)).toBeUndefined()
    rig.link.always('drop', 'abandon')
    await rig.time.advance(1)
    expect(await inspect(rig)).toMatchObject({ state: 'running' })
    rig.link.heal()
    await rig.time.advance(3_000)
    expect(await inspect(rig)).toMatchObject({ state: 'released' })
    await beginRun(rig)
  })

  test('is undone until one lease has passed and the store has acknowledged it', async () => {
    const rig = createRig()
    rig.link.next('claim', 'refuse')
    await rig.engine.begin(call())
    await rig.time.advance(leaseMs + 1_000)
    const { abandon } = rig.link.calls
    expect(abandon).toBeGreaterThanOrEqual(30)
    expect(abandon).toBeLessThanOrEqual(32)
    await rig.time.advance(leaseMs)
    expect(rig.link.calls.abandon).toBe(abandon)
    expect(rig.clock.timers).toBe(0)
  })

  test('outlasts a store that is down for longer than a lease', async () => {
    const rig = createRig()
    rig.link.next('claim', 'lose-reply')
    rig.link.always('refuse', 'abandon')
    const decision = rig.engine.begin(call())
    await rig.time.advance(3 * leaseMs)
    expectProblem(await decision, 'store-unavailable')
    expect(await inspect(rig)).toMatchObject({ state: 'lapsed' })
    rig.link.heal()
    await rig.time.advance(1_000)
    expect(await inspect(rig)).toMatchObject({ state: 'released' })
    await beginRun(rig)
  })

  test('that lay in a queue for longer than a lease is undone when its reply comes', async () => {
    const rig = createRig()
    rig.link.next('claim', { requestDelayMs: 3 * leaseMs })
    const decision = rig.engine.begin(call())
    await rig.time.advance(3 * leaseMs - 1)
    expectProblem(await decision, 'store-unavailable')
    await rig.time.advance(1)
    expect(await inspect(rig)).toMatchObject({ state: 'released' })
  })

  test('a late rejection of such a claim harms nobody', async () => {
    const rig = createRig()
    let reject: ((error: Error) => void) | undefined
    const store = {
      ...rig.link.store,
      claim: () => new Promise<never>((_, no) => void (reject = no)),
    }
    const stuck = createRig({ beside: { ...rig, store } })
    const decision = stuck.engine.begin(call())
    await rig.time.advance(2_000)
    expectProblem(await decision, 'store-unavailable')
    reject?.(new Error('late'))
    await rig.time.advance(1)
  })

  test('by the thousand, meets a store that is back at most a hundred at a time', async () => {
    const rig = createRig()
    rig.link.always('drop', 'claim', 'abandon')
    const decisions = Array.from({ length: 1_000 }, (_, index) =>
      rig.engine.begin(call({ key: `key ${index}` })),
    )
    await rig.time.advance(2_000)
    expect(rig.link.calls.abandon).toBe(100)
    for (const decision of decisions) expectProblem(await decision, 'store-unavailable')
    await rig.time.advance(leaseMs)
    expect(rig.link.calls.abandon).toBeLessThan(1_500)
    expect(rig.clock.set).toBeLessThan(200)
    rig.link.heal()
    const before = rig.link.calls.abandon
    await rig.time.advance(5_000)
    expect(rig.link.calls.abandon - before).toBeGreaterThanOrEqual(1_000)
    await rig.time.advance(2 * leaseMs)
    expect(rig.clock.timers).toBe(0)
  })
})
