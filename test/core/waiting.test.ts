import { describe, expect, test } from 'vitest'
import {
  answer,
  beginRun,
  createRig,
  eventsOf,
  expectProblem,
  expectReplay,
  leaseMs,
  leaseOf,
  retryAfterOf,
  waiting,
} from '../support/engine-rig.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'
import { afterwards, expectTidy, wait } from '../support/waiting-rig.ts'

forbidUnhandledRejections()

describe('the winner finishes', () => {
  test('500 waiters share one store read for each change', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    const waiters = Array.from({ length: 500 }, () => wait(rig))
    await rig.time.advance(100)
    // Each has found the winner running; and one read after the subscription, for all of them.
    expect(rig.link.calls.claim).toBe(1 + 500 + 1)
    expect(rig.link.calls.watch).toBe(1)
    expect(rig.clock.timers).toBeLessThanOrEqual(3)
    await lease.finish(answer('shared'))
    for (const decision of await Promise.all(waiters)) expectReplay(decision, 'shared')
    expect(rig.link.calls.claim).toBe(1 + 500 + 1 + 1)
    expect(eventsOf(rig, 'replayed')).toHaveLength(500)
    expect(eventsOf(rig, 'replayed')[0]).toMatchObject({ waited: true })
    await expectTidy(rig)
  })

  test('in another process', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    const lease = await beginRun(other)
    const waiter = wait(rig)
    await rig.time.advance(500)
    await lease.finish(answer('elsewhere'))
    expectReplay(await waiter, 'elsewhere')
    await expectTidy(rig)
  })

  test('between the first claim and the subscription: nothing falls into the gap', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    rig.link.next('watch', { requestDelayMs: 50 })
    const waiter = wait(rig)
    await rig.time.advance(49)
    await lease.finish(answer('in the gap'))
    await rig.time.advance(1)
    expectReplay(await waiter, 'in the gap')
  })

  test('while a read is on its way, whose reply is old by then', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    rig.link.next('claim', { replyDelayMs: 0 }, { replyDelayMs: 300 })
    const waiter = wait(rig)
    await rig.time.advance(100)
    await lease.finish(answer('meanwhile'))
    await rig.time.advance(200)
    expectReplay(await waiter, 'meanwhile')
  })
})

describe('a store that tells of no changes', () => {
  test.each([
    ['has no watch', false],
    ['can not subscribe', true],
  ])('because it %s: waiters poll', async (_, watch) => {
    const rig = createRig({ watch })
    if (watch) rig.link.always('refuse', 'watch')
    const lease = await beginRun(rig)
    const waiter = wait(rig)
    await rig.time.advance(1_000)
    expect(rig.link.calls.claim).toBeGreaterThanOrEqual(10)
    expect(rig.link.calls.claim).toBeLessThanOrEqual(13)
    await lease.finish(answer('polled'))
    await rig.time.advance(100)
    expectReplay(await waiter, 'polled')
    const operations = eventsOf(rig, 'store-error').map(({ operation }) => operation)
    expect(operations).toEqual(watch ? ['watch'] : [])
    await expectTidy(rig)
  })

  test('because its subscription hangs: waiters poll, and a late one is ended', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    rig.link.next('watch', { replyDelayMs: 5_000 })
    const waiter = wait(rig)
    await rig.time.advance(150)
    await lease.finish(answer('polled'))
    await rig.time.advance(100)
    expectReplay(await waiter, 'polled')
    await rig.time.advance(5_000)
    await expectTidy(rig)
  })

  test('because its notice got lost: a slow poll mends it', async () => {
    const rig = createRig()
    const deaf = createRig({ beside: { ...rig, store: { ...rig.link.store, watch: async () => () => {} } } })
    const lease = await beginRun(rig)
    const waiter = wait(deaf)
    await rig.time.advance(10)
    await lease.finish(answer('polled'))
    await rig.time.advance(1_000)
    expectReplay(await waiter, 'polled')
  })
})

describe('the winner does not finish', () => {
  test('dies: the waiter learns it when the lease is over', async () => {
    const rig = createRig()
    const dead = createRig({ beside: rig })
    await beginRun(dead)
    dead.clock.stalled = true
    await rig.time.advance(leaseMs - 5_500)
    const waiter = wait(rig)
    let decided = false
    void waiter.finally(() => (decided = true))
    await rig.time.advance(5_499)
    expect(decided).toBe(false)
    await rig.time.advance(2)
    expect(decided).toBe(true)
    expectProblem(await waiter, 'outcome-unknown')
    await expectTidy(rig)
  })

  test('dies under rerun: one waiter takes over, and the others get its answer', async () => {
    const rig = createRig()
    const dead = createRig({ beside: rig })
    await beginRun(dead, { recovery: 'rerun' })
    dead.clock.stalled = true
    await rig.time.advance(leaseMs - 1_000)
    const waiters = Array.from({ length: 10 }, () => wait(rig, { recovery: 'rerun' }))
    const lease = leaseOf(await afterwards(rig, 1_001, Promise.race(waiters)))
    expect(lease.held).toMatchObject({ attempt: 2, takeover: true })
    await lease.finish(answer('second'))
    const decisions = await Promise.all(waiters)
    expect(decisions.filter(({ kind }) => kind === 'proceed')).toHaveLength(1)
    expect(decisions.filter(({ kind }) => kind === 'replay')).toHaveLength(9)
  })

  test('takes longer than the wait: 409 with the age of the run', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    await rig.time.advance(1_200)
    const waiter = wait(rig, { concurrent: waiting(1_500) })
    await rig.time.advance(1_499)
    const late = wait(rig, { concurrent: waiting(1_500) })
    await rig.time.advance(1)
    expectProblem(await waiter, 'in-progress')
    // 2.7 s, rounded up.
    expect(retryAfterOf(await waiter)).toBe('3')
    await lease.finish(answer())
    expect((await late).kind).toBe('replay')
    await expectTidy(rig)
  })
})

describe('the winner is released', () => {
  test('exactly one waiter runs, and the others get its answer', async () => {
    const rig = createRig()
    const first = await beginRun(rig)
    const waiters = Array.from({ length: 50 }, () => wait(rig))
    await rig.time.advance(10)
    await first.finish(answer('slow down', 429))
    const second = leaseOf(await Promise.race(waiters))
    await rig.time.advance(3_000)
    await second.finish(answer('second'))
    const decisions = await Promise.all(waiters)
    expect(decisions.filter(({ kind }) => kind === 'proceed')).toHaveLength(1)
    expect(decisions.filter(({ kind }) => kind === 'replay')).toHaveLength(49)
    await expectTidy(rig)
  })

  test('twice: the others join no third attempt', async () => {
    const rig = createRig()
    const leases = [await beginRun(rig)]
    const waiters = Array.from({ length: 10 }, () => wait(rig))
    for (const waiter of waiters) {
      void waiter.then((decision) => decision.kind === 'proceed' && leases.push(decision.lease))
    }
    await rig.time.advance(2_000)
    await leases[0]?.finish(answer('slow down', 429))
    await rig.time.advance(2_000)
    expect(leases).toHaveLength(2)
    await leases[1]?.finish(answer('slow down', 429))
    await rig.time.advance(1)
    expect(leases).toHaveLength(3)
    const decisions = await Promise.all(waiters)
    const refused = decisions.filter(({ kind }) => kind === 'reject')
    expect(refused).toHaveLength(8)
    for (const decision of refused) {
      expectProblem(decision, 'in-progress')
      expect(retryAfterOf(decision)).toBe('1')
    }
    await leases[2]?.finish(answer())
    await expectTidy(rig)
  })

  test('twice, in another process that is quicker to begin the next attempt: the same', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    let lease = await beginRun(other)
    await rig.time.advance(1_000)
    const waiters = Array.from({ length: 5 }, () => wait(rig))
    for (let attempt = 2; attempt <= 3; attempt += 1) {
      await rig.time.advance(1_500)
      rig.link.next('claim', { requestDelayMs: 50 })
      await lease.finish(answer('slow down', 429))
      lease = await beginRun(other)
      expect(lease.held.attempt).toBe(attempt)
    }
    await rig.time.advance(50)
    for (const decision of await Promise.all(waiters)) expectProblem(decision, 'in-progress')
    await expectTidy(rig)
  })

  test('once, in another process: that attempt is waited for', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    const first = await beginRun(other)
    await rig.time.advance(1_000)
    const waiter = wait(rig)
    await rig.time.advance(1_500)
    rig.link.next('claim', { requestDelayMs: 50 })
    await first.finish(answer('slow down', 429))
    const second = await beginRun(other)
    // Slow replies make the run look younger than it is, and must not pass for another attempt.
    rig.link.always({ replyDelayMs: 900 }, 'claim')
    await rig.time.advance(5_000)
    await second.finish(answer('second'))
    await rig.time.advance(2_000)
    expectReplay(await waiter, 'second')
  })

  test('the process that had waited runs under its own lease, counted from its own claim', async () => {
    const rig = createRig()
    const first = await beginRun(rig)
    const waiter = wait(rig, { recovery: 'rerun', concurrent: waiting(60_000) })
    await rig.time.advance(40_000)
    await first.finish(answer('slow down', 429))
    const second = leaseOf(await waiter)
    const { signal } = second
    rig.link.always('refuse', 'renew')
    await rig.time.advance(leaseMs - 1_500)
    expect(signal.aborted).toBe(false)
  })
})
