import { describe, expect, test } from 'vitest'
import { idempotencyOf } from '../../src/core/idempotency.ts'
import { createIdempotency, memoryStore } from '../../src/index.ts'
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
  retryAfterOf,
  waiting,
} from '../support/engine-rig.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

/** Begins to close, and tells when that is done. */
function close(rig: Rig, graceMs = 30_000): { readonly done: boolean; promise: Promise<void> } {
  const closing = { done: false, promise: Promise.resolve() }
  closing.promise = rig.engine.close({ graceMs }).finally(() => (closing.done = true))
  return closing
}

describe('close()', () => {
  test('of an idle engine closes the store at once', async () => {
    const rig = createRig()
    await (await beginRun(rig)).finish(answer())
    await close(rig).promise
    expect(rig.link.calls.close).toBe(1)
    await rig.time.advance(leaseMs)
    expect(rig.clock.timers).toBe(0)
  })

  test('takes no more claims: 503 that says why, also under bypass', async () => {
    const rig = createRig({ onStoreError: 'bypass' })
    await close(rig).promise
    const decision = await rig.engine.begin(call())
    expect(expectProblem(decision, 'store-unavailable').problem.detail).toMatch(/shutting down/)
    expect(retryAfterOf(decision)).toBe('1')
    expect(rig.link.calls.claim).toBe(0)
  })

  test('waits for the handlers that run, keeps their leases and records their outcomes', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    const lease = await beginRun(rig)
    const closing = close(rig, 10 * leaseMs)
    await rig.time.advance(3 * leaseMs)
    expect(closing.done).toBe(false)
    expectProblem(await other.engine.begin(call()), 'in-progress')
    expect(await lease.finish(answer('finished'))).toBe('recorded')
    expectReplay(await other.engine.begin(call()), 'finished')
    await closing.promise
    await rig.time.advance(leaseMs)
    expect(rig.clock.timers).toBe(0)
  })

  test('waits for outcomes that the store has not acknowledged', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    rig.link.always('refuse', 'complete')
    expect(await (await beginRun(rig)).finish(answer('told'))).toBe('deferred')
    const closing = close(rig)
    await rig.time.advance(5_000)
    expect(closing.done).toBe(false)
    rig.link.heal()
    await rig.time.advance(2_000)
    expect(closing.done).toBe(true)
    expectReplay(await other.engine.begin(call()), 'told')
    expect(eventsOf(rig, 'record-lost')).toEqual([])
  })

  test('waits for a handler whose lease maxRun gave up, and not a moment longer', async () => {
    const rig = createRig()
    const lease = await beginRun(rig, { maxRunMs: 1_000 })
    await rig.time.advance(3 * leaseMs)
    const closing = close(rig)
    await rig.time.advance(1_000)
    expect(closing.done).toBe(false)
    expect(await lease.finish(answer())).toBe('recorded')
    await rig.time.advance(0)
    expect(closing.done).toBe(true)
  })

  test('waits for a handler whose lease was lost', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    const lease = await beginRun(rig)
    await rig.store.inspect?.forget(lease.held.id)
    await beginRun(other)
    await rig.time.advance(leaseMs)
    expect(lease.signal.aborted).toBe(true)
    const closing = close(rig)
    await rig.time.advance(1_000)
    expect(closing.done).toBe(false)
    expect(await lease.finish(answer())).toBe('withheld')
    await rig.time.advance(0)
    expect(closing.done).toBe(true)
  })

  test('gives up after graceMs: what is not recorded is lost, and says so', async () => {
    const rig = createRig()
    await beginRun(rig, { key: 'hangs' })
    rig.link.always('drop', 'complete')
    const finished = (await beginRun(rig, { key: 'finished' })).finish(answer())
    await rig.time.advance(2_000)
    expect(await finished).toBe('deferred')
    const closing = close(rig, 5_000)
    await rig.time.advance(4_999)
    expect(closing.done).toBe(false)
    await rig.time.advance(1)
    expect(closing.done).toBe(true)
    expect(eventsOf(rig, 'record-lost')).toMatchObject([{ key: 'finished' }])
    expect(rig.link.calls.close).toBe(1)
    await rig.time.advance(leaseMs)
    expect(rig.clock.timers).toBe(0)
  })

  test('a handler that finishes after that is told so: deferred, and lost', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    const closing = close(rig, 1_000)
    await rig.time.advance(1_000)
    await closing.promise
    expect(await lease.finish(answer())).toBe('deferred')
    await rig.time.advance(0)
    expect(eventsOf(rig, 'record-lost')).toHaveLength(1)
  })

  test('a completion that fails just after the grace is lost as well', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    rig.link.always('drop', 'complete')
    const finished = lease.finish(answer())
    const closing = close(rig, 1_000)
    await rig.time.advance(2_000)
    await closing.promise
    expect(await finished).toBe('deferred')
    expect(eventsOf(rig, 'record-lost')).toHaveLength(1)
  })

  test('twice is once', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    const closing = [close(rig), close(rig, 1)]
    await rig.time.advance(1_000)
    expect(closing.map(({ done }) => done)).toEqual([false, false])
    await lease.finish(answer())
    await Promise.all(closing.map(({ promise }) => promise))
    await close(rig).promise
    expect(rig.link.calls.close).toBe(1)
  })

  test('closes the store with the last engine that uses it', async () => {
    const one = createRig()
    const two = createRig({ within: one })
    await close(one).promise
    expect(one.link.calls.close).toBe(0)
    const lease = await beginRun(two)
    expect(await lease.finish(answer())).toBe('recorded')
    await close(two).promise
    expect(one.link.calls.close).toBe(1)
    // Closing the first again does not count.
    await close(one).promise
    expect(one.link.calls.close).toBe(1)
  })

  test('a store that was closed takes no more requests', async () => {
    const store = memoryStore()
    const once = createIdempotency({ store })
    await once.run({ key: 'k', scope: false }, () => 'done')
    await once.close()
    await expect(store.abandon('id', 'owner')).rejects.toMatchObject({ code: 'store-closed' })
  })

  test.each(['refuse', 'drop'] as const)('rejects where the store can not be closed: %s', async (fault) => {
    const rig = createRig()
    rig.link.always(fault, 'close')
    const closing = close(rig)
    const rejection = expect(closing.promise).rejects.toThrow(/link broke|did not answer/)
    await rig.time.advance(2_000)
    await rejection
    expect(eventsOf(rig, 'store-error')).toMatchObject([{ operation: 'close' }])
  })
})

describe('close() meets requests on their way', () => {
  test('a claim that is granted meanwhile is given back, and 503 is told', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    rig.link.next('claim', { replyDelayMs: 500 })
    const decision = rig.engine.begin(call())
    await rig.time.advance(100)
    const closing = close(rig)
    await rig.time.advance(399)
    expect(closing.done).toBe(false)
    await rig.time.advance(1)
    expectProblem(await decision, 'store-unavailable')
    expect(closing.done).toBe(true)
    await beginRun(other)
  })

  test('a claim whose reply was lost is undone before the store is closed', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    rig.link.next('claim', 'lose-reply')
    rig.link.next('abandon', 'refuse')
    const decision = rig.engine.begin(call())
    const closing = close(rig)
    await rig.time.advance(2_000)
    expectProblem(await decision, 'store-unavailable')
    await closing.promise
    await beginRun(other)
  })

  test('a claim that is being undone is waited for', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    rig.link.next('claim', 'break-reply')
    rig.link.next('abandon', { requestDelayMs: 500 })
    expectProblem(await rig.engine.begin(call()), 'store-unavailable')
    const closing = close(rig)
    await rig.time.advance(499)
    expect(closing.done).toBe(false)
    await rig.time.advance(1)
    expect(closing.done).toBe(true)
    await beginRun(other)
  })

  test('a store that takes no undoing does not hold it up for longer than the time-out', async () => {
    const rig = createRig()
    rig.link.always('drop', 'claim', 'abandon')
    for (let index = 0; index < 300; index += 1) void rig.engine.begin(call({ key: `key ${index}` }))
    const closing = close(rig)
    await rig.time.advance(2_000 + 2_000)
    expect(closing.done).toBe(true)
  })

  test('waiters leave at once, and no others begin to wait', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    const lease = await beginRun(other)
    const waiter = rig.engine.begin(call({ concurrent: waiting() }))
    await rig.time.advance(10)
    rig.link.next('claim', { replyDelayMs: 100 })
    const late = rig.engine.begin(call({ concurrent: waiting() }))
    const closing = close(rig)
    await rig.time.advance(0)
    expectProblem(await waiter, 'in-progress')
    await rig.time.advance(100)
    expectProblem(await late, 'in-progress')
    expect(closing.done).toBe(true)
    expect(rig.link.subscriptions).toBe(0)
    await lease.finish(answer())
  })

  test('a waiter that is granted a claim while it leaves gives it back first', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    const lease = await beginRun(other)
    const waiter = rig.engine.begin(call({ concurrent: waiting() }))
    await rig.time.advance(10)
    rig.link.next('claim', { replyDelayMs: 500 })
    await lease.finish(answer('slow down', 429))
    await rig.time.advance(100)
    const closing = close(rig)
    await rig.time.advance(0)
    expectProblem(await waiter, 'in-progress')
    expect(closing.done).toBe(false)
    await rig.time.advance(400)
    expect(closing.done).toBe(true)
    expect(await inspect(other)).toMatchObject({ state: 'released' })
  })

  test('a function that finds out is waited for', async () => {
    const rig = createRig()
    await (await beginRun(rig, { recovery: async () => 'refuse' })).finishUnknown()
    const slow = async () => {
      await new Promise<void>((resolve) => void rig.clock.setTimer(resolve, 5_000))
      return answer('found')
    }
    const decision = rig.engine.begin(call({ recovery: slow }))
    await rig.time.advance(1)
    const closing = close(rig)
    await rig.time.advance(4_998)
    expect(closing.done).toBe(false)
    await rig.time.advance(1)
    expectReplay(await decision, 'found')
    await closing.promise
  })
})

describe('graceMs', () => {
  test('is 30 s unless told', async () => {
    const rig = createRig()
    await beginRun(rig)
    let done = false
    void idempotencyOf(rig.engine)
      .close()
      .finally(() => (done = true))
    await rig.time.advance(29_999)
    expect(done).toBe(false)
    await rig.time.advance(1)
    expect(done).toBe(true)
  })

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 'forever'])('%s is refused', async (graceMs) => {
    const rig = createRig()
    const once = idempotencyOf(rig.engine)
    await expect(once.close({ graceMs: graceMs as number })).rejects.toMatchObject({
      code: 'invalid-option',
      message: expect.stringContaining('"graceMs"'),
    })
    expect(rig.link.calls.close).toBe(0)
  })
})
