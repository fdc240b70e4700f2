import { describe, expect, test } from 'vitest'
import type { ClaimResult } from '../../src/core/store.ts'
import type { Rig } from '../support/engine-rig.ts'
import {
  answer,
  beginRun,
  call,
  createRig,
  eventsOf,
  expectProblem,
  expectReplay,
  hourMs,
  inspect,
  leaseMs,
  leaseOf,
  retryAfterOf,
} from '../support/engine-rig.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

describe('replay', () => {
  test('gives status, headers, trailers and bytes as they were recorded', async () => {
    const rig = createRig()
    const response = {
      kind: 'kept' as const,
      status: 303,
      headers: [
        ['Location', '/orders/1'],
        ['Link', '<a>'],
        ['Link', '<b>'],
      ] as const,
      trailers: [['Checksum', 'x']] as const,
      body: Uint8Array.from({ length: 256 }, (_, index) => index),
    }
    await (await beginRun(rig)).finish(response)
    const decision = await rig.engine.begin(call())
    expect(decision).toMatchObject({ kind: 'replay', response })
  })

  test('says until when the record answers, on the wall clock', async () => {
    const rig = createRig()
    await (await beginRun(rig, { retainMs: hourMs })).finish(answer())
    const expiresAtMs = rig.clock.now() + hourMs
    await rig.time.advance(60_000)
    // The policy of the record counts, not that of the route today.
    expect(await rig.engine.begin(call({ retainMs: 2 * hourMs }))).toMatchObject({ expiresAtMs })
    await rig.time.advance(hourMs - 60_000 - 1)
    expectReplay(await rig.engine.begin(call()), 'made')
    await rig.time.advance(1)
    leaseOf(await rig.engine.begin(call()))
  })

  test('of a failure that was kept is the failure', async () => {
    const rig = createRig()
    await (await beginRun(rig)).finish(answer('broken', 500))
    expectReplay(await rig.engine.begin(call()), 'broken')
    expect(eventsOf(rig, 'completed')).toMatchObject([{ status: 500, failed: true }])
  })
})

describe('refusals', () => {
  test('another request under the same key: 422, whatever the state, and nothing changes', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    const other = call({ fingerprint: 'v1:other' })
    const before = await inspect(rig)
    expect(expectProblem(await rig.engine.begin(other), 'key-reused').problem.status).toBe(422)
    expect(await inspect(rig)).toEqual(before)
    await lease.finish(answer())
    expectProblem(await rig.engine.begin(other), 'key-reused')
    expect(eventsOf(rig, 'rejected').map(({ code }) => code)).toEqual(['key-reused', 'key-reused'])
  })

  test('after a clean release the key may carry another request', async () => {
    const rig = createRig()
    await (await beginRun(rig)).finish(answer('slow down', 429))
    await beginRun(rig, { fingerprint: 'v1:other' })
  })

  test.each([
    [0, '1'],
    [999, '1'],
    [1_001, '2'],
    [4_500, '5'],
    [20_000, '5'],
  ])('in progress for %i ms: Retry-After %s', async (ageMs, seconds) => {
    const rig = createRig()
    await beginRun(rig)
    await rig.time.advance(ageMs)
    const decision = expectProblem(await rig.engine.begin(call()), 'in-progress')
    expect(retryAfterOf(decision)).toBe(seconds)
    expect(decision.problem).toMatchObject({ status: 409, retryable: true })
    expect(decision.expiresAtMs).toBe(rig.clock.now() + 24 * hourMs)
  })

  test('lapsed: outcome-unknown, until the record is forgotten after retainUnknown', async () => {
    const rig = createRig()
    const dead = createRig({ beside: rig })
    await beginRun(dead)
    dead.clock.stalled = true
    await rig.time.advance(leaseMs)
    const { problem, expiresAtMs } = expectProblem(await rig.engine.begin(call()), 'outcome-unknown')
    expect(problem).toMatchObject({ status: 409, retryable: false, headers: [] })
    expect(expiresAtMs).toBe(rig.clock.now() + 720 * hourMs)
    await rig.time.advance(720 * hourMs - 1)
    expectProblem(await rig.engine.begin(call()), 'outcome-unknown')
    await rig.time.advance(1)
    leaseOf(await rig.engine.begin(call()))
  })

  test('an outcome recorded as unknown', async () => {
    const rig = createRig()
    await (await beginRun(rig)).finishUnknown()
    expect(await inspect(rig)).toMatchObject({ state: 'unknown' })
    expectProblem(await rig.engine.begin(call()), 'outcome-unknown')
  })

  test('fingerprints without a common kind: refused, and the detail says why', async () => {
    const rig = createRig()
    await beginRun(rig)
    const { problem } = expectProblem(
      await rig.engine.begin(call({ fingerprint: 'b1:bytes' })),
      'outcome-unknown',
    )
    expect(problem.detail).toMatch(/another release/)
  })

  test('a record that can not be read: refused, never run as new', async () => {
    const decision = await withClaimResult({ kind: 'unreadable', reason: 'checksum of the row is wrong' })
    const { problem } = expectProblem(decision, 'outcome-unknown')
    expect(problem.detail).toMatch(/cannot be read/)
    // What is wrong with the store is no business of the caller.
    expect(problem.detail).not.toMatch(/checksum/)
  })

  test('a tombstone: response-not-kept with the original status, reason and Location', async () => {
    const rig = createRig()
    const lease = await beginRun(rig, { retainMs: hourMs })
    await lease.finish({ kind: 'tombstone', status: 201, location: '/orders/1', reason: 'too-large' })
    const { problem, expiresAtMs } = expectProblem(await rig.engine.begin(call()), 'response-not-kept')
    expect(problem.status).toBe(409)
    expect(problem.extensions).toEqual({
      originalStatus: 201,
      reason: 'too-large',
      location: '/orders/1',
    })
    expect(expiresAtMs).toBe(rig.clock.now() + hourMs)
    expect(eventsOf(rig, 'replayed')).toEqual([])
  })

  test('a tombstone without a Location does not mention one', async () => {
    const rig = createRig()
    await (await beginRun(rig)).finish({ kind: 'tombstone', status: 200, reason: 'cut-short' })
    const { problem } = expectProblem(await rig.engine.begin(call()), 'response-not-kept')
    expect(problem.extensions).toEqual({ originalStatus: 200, reason: 'cut-short' })
  })
})

describe('what operators can read', () => {
  test('key and scope stand beside the digest', async () => {
    const rig = createRig()
    await beginRun(rig)
    expect(await inspect(rig)).toMatchObject({ record: { label: { key: 'key', scope: 'user' } } })
  })

  test('storeKeys: false keeps them out', async () => {
    const rig = createRig({ storeKeys: false })
    const lease = await beginRun(rig)
    expect(await inspect(rig)).toMatchObject({ state: 'running' })
    await lease.finish(answer())
    expect(JSON.stringify(await inspect(rig))).not.toMatch(/"key"|"user"/)
  })
})

/** No state that the memory store can be brought to leads to this result. */
async function withClaimResult(result: ClaimResult): ReturnType<Rig['engine']['begin']> {
  const rig = createRig()
  const store = { ...rig.link.store, claim: async () => result }
  return createRig({ beside: { ...rig, store } }).engine.begin(call())
}
