import { describe, expect, test } from 'vitest'
import {
  answer,
  beginRun,
  createRig,
  expectProblem,
  expectReplay,
  leaseOf,
  waiting,
} from '../support/engine-rig.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'
import { afterwards, createVisitor, expectTidy, wait } from '../support/waiting-rig.ts'

forbidUnhandledRejections()

describe('the waiter leaves', () => {
  test('and is not waited for: nothing is left behind', async () => {
    const rig = createRig()
    await beginRun(rig)
    const visitor = createVisitor()
    const waiter = wait(rig, { onGone: visitor.onGone })
    await rig.time.advance(10)
    visitor.leave()
    expectProblem(await waiter, 'in-progress')
    expect(rig.link.subscriptions).toBe(0)
    expect(rig.clock.timers).toBe(2)
    const { claim } = rig.link.calls
    await rig.time.advance(5_000)
    expect(rig.link.calls.claim).toBe(claim)
  })

  test('before it began to wait', async () => {
    const rig = createRig()
    await beginRun(rig)
    let listening = true
    const gone = (listener: () => void) => {
      listener()
      return () => (listening = false)
    }
    expectProblem(await wait(rig, { onGone: gone }), 'in-progress')
    expect(listening).toBe(false)
    // The heartbeat of the run that goes on, and the bound on store operations.
    expect(rig.clock.timers).toBe(2)
    await rig.time.advance(2_000)
    expect(rig.link.subscriptions).toBe(0)
  })

  test('stops listening to its caller when it has its answer', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    const visitor = createVisitor()
    const waiter = wait(rig, { onGone: visitor.onGone })
    await rig.time.advance(10)
    expect(visitor.listeners).toBe(1)
    await lease.finish(answer())
    await waiter
    expect(visitor.listeners).toBe(0)
  })

  test.each([true, false])(
    'while its claim was being granted: it is given back at once, and the others go on (watch: %s)',
    async (watch) => {
      const rig = createRig({ watch })
      const first = await beginRun(rig)
      const visitor = createVisitor()
      const delegate = wait(rig, { onGone: visitor.onGone })
      const others = Array.from({ length: 3 }, () => wait(rig))
      await rig.time.advance(10)
      rig.link.next('claim', { replyDelayMs: 500 })
      await first.finish(answer('slow down', 429))
      await rig.time.advance(200)
      visitor.leave()
      expectProblem(await delegate, 'in-progress')
      const second = leaseOf(await afterwards(rig, 1_000, Promise.race(others)))
      await rig.time.advance(100)
      await second.finish(answer('second'))
      const decisions = await afterwards(rig, 100, Promise.all(others))
      expect(decisions.filter(({ kind }) => kind === 'replay')).toHaveLength(2)
      await expectTidy(rig)
    },
  )

  test('a claim that was given back is no attempt: the others may still join one', async () => {
    const rig = createRig()
    const first = await beginRun(rig)
    const visitors = [createVisitor(), createVisitor()]
    const leaving = visitors.map(({ onGone }) => wait(rig, { onGone }))
    const staying = [wait(rig), wait(rig)]
    await rig.time.advance(10)
    rig.link.next('claim', { replyDelayMs: 100 }, { replyDelayMs: 100 })
    await first.finish(answer('slow down', 429))
    for (const visitor of visitors) {
      await rig.time.advance(50)
      visitor.leave()
      await rig.time.advance(50)
    }
    for (const decision of await Promise.all(leaving)) expectProblem(decision, 'in-progress')
    const second = leaseOf(await Promise.race(staying))
    await second.finish(answer('second'))
    const kinds = (await Promise.all(staying)).map(({ kind }) => kind)
    expect(kinds.toSorted()).toEqual(['proceed', 'replay'])
  })

  test('the last of its group, while its claim was being granted', async () => {
    const rig = createRig()
    const first = await beginRun(rig)
    const visitor = createVisitor()
    const waiter = wait(rig, { onGone: visitor.onGone })
    await rig.time.advance(10)
    rig.link.next('claim', { replyDelayMs: 500 })
    await first.finish(answer('slow down', 429))
    await rig.time.advance(200)
    visitor.leave()
    expectProblem(await waiter, 'in-progress')
    await rig.time.advance(300)
    await beginRun(rig)
  })
})

describe('who may wait', () => {
  test('each for its own time', async () => {
    const rig = createRig()
    await beginRun(rig)
    const patient = wait(rig, { concurrent: waiting(20_000) })
    await rig.time.advance(10)
    let decided = false
    const hasty = wait(rig, { concurrent: waiting(300) }).finally(() => (decided = true))
    await rig.time.advance(299)
    expect(decided).toBe(false)
    await rig.time.advance(1)
    expectProblem(await hasty, 'in-progress')
    expect(decided).toBe(true)
    await rig.time.advance(20_000)
    expectProblem(await patient, 'in-progress')
  })

  test('no more than maxWaiters', async () => {
    const rig = createRig({ maxWaiters: 2 })
    const lease = await beginRun(rig)
    const waiters = [wait(rig), wait(rig)]
    await rig.time.advance(10)
    expectProblem(await wait(rig), 'in-progress')
    await lease.finish(answer())
    for (const decision of await Promise.all(waiters)) expectReplay(decision, 'made')
    await beginRun(rig, { key: 'other' })
    const again = wait(rig, { key: 'other' })
    await rig.time.advance(10)
    expect(rig.link.subscriptions).toBe(1)
    await rig.time.advance(10_000)
    expectProblem(await again, 'in-progress')
  })

  test('waiters with other fingerprints or recovery do not claim for each other', async () => {
    const rig = createRig()
    const first = await beginRun(rig, { fingerprint: 'b1:one v1:same' })
    const alike = wait(rig, { fingerprint: 'b1:one v1:same' })
    const byValue = wait(rig, { fingerprint: 'v1:same' })
    const byBytes = wait(rig, { fingerprint: 'b1:one' })
    await rig.time.advance(10)
    expect(rig.link.calls.watch).toBe(3)
    await first.finish(answer('slow down', 429))
    const winner = leaseOf(await alike)
    await winner.finish(answer('second'))
    expectReplay(await byValue, 'second')
    expectReplay(await byBytes, 'second')
  })
})

describe('the store fails while waiting', () => {
  test.each(['refuse', 'drop'] as const)('%s: all waiters get 503', async (fault) => {
    const rig = createRig()
    await beginRun(rig)
    const waiters = [wait(rig), wait(rig)]
    await rig.time.advance(10)
    rig.link.always(fault, 'claim')
    await rig.time.advance(1_000 + 2_000)
    for (const decision of await Promise.all(waiters)) expectProblem(decision, 'store-unavailable')
    expect(rig.link.subscriptions).toBe(0)
  })

  test('under bypass they run unprotected', async () => {
    const rig = createRig({ onStoreError: 'bypass' })
    await beginRun(rig)
    const waiter = wait(rig)
    await rig.time.advance(10)
    rig.link.always('refuse', 'claim')
    await rig.time.advance(1_000)
    expect(await waiter).toEqual({ kind: 'bypass' })
  })
})
