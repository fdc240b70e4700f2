import { describe, expect, test } from 'vitest'
import { dispositionOf } from '../../src/core/disposition.ts'
import type { Reconcile } from '../../src/core/settings.ts'
import { answer, beginRun, call, createRig, eventsOf, inspect, leaseMs } from '../support/engine-rig.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

const kept = { kind: 'keep', failed: false } as const
const failed = { kind: 'keep', failed: true } as const
const clean = { kind: 'release', clean: true } as const
const unclean = { kind: 'release', clean: false } as const

describe('what becomes of an answer', () => {
  test.each([
    ...[200, 201, 204, 303, 304, 400, 402, 404, 409, 410, 412, 422, 451].map(
      (status) => [status, { refuse: kept, reconcile: kept, rerun: kept }] as const,
    ),
    ...[401, 403, 425, 429].map(
      (status) => [status, { refuse: clean, reconcile: clean, rerun: clean }] as const,
    ),
    ...[408, 500, 502, 503, 504, 599].map(
      (status) => [status, { refuse: failed, reconcile: failed, rerun: unclean }] as const,
    ),
  ])('%i', (status, expected) => {
    const isFailure = status === 408 || status >= 500
    for (const recovery of ['refuse', 'reconcile', 'rerun'] as const) {
      const keeping = { kind: 'keep', failed: isFailure }
      expect(dispositionOf(status, recovery, undefined, false)).toEqual(expected[recovery])
      expect(dispositionOf(status, recovery, 'release', false)).toEqual(clean)
      expect(dispositionOf(status, recovery, 'keep', false)).toEqual(keeping)
      // A step may have had its effect: nothing is released as if it had not.
      const withSteps = expected[recovery] === clean ? keeping : expected[recovery]
      expect(dispositionOf(status, recovery, undefined, true)).toEqual(withSteps)
      // Where nobody may run again, a release would leave a riddle in the place of this answer.
      expect(dispositionOf(status, recovery, 'release', true)).toEqual(
        recovery === 'refuse' ? keeping : unclean,
      )
      expect(dispositionOf(status, recovery, 'keep', true)).toEqual(keeping)
    }
  })
})

describe('carried out', () => {
  test('a clean release lets the next try run as the first', async () => {
    const rig = createRig()
    await (await beginRun(rig)).finish(answer('slow down', 429))
    expect(eventsOf(rig, 'released')).toMatchObject([{ clean: true }])
    expect(await inspect(rig)).toMatchObject({ state: 'released', record: { fingerprint: null } })
    const next = await beginRun(rig)
    expect(next.held).toMatchObject({ attempt: 2, takeover: false })
  })

  test('what the handler asked for overrules the keep option, and both the rules', async () => {
    const rig = createRig()
    const released = await beginRun(rig)
    released.verdict = 'release'
    expect(await released.finish(answer('nothing happened', 201), 'keep')).toBe('released')
    const keeping = await beginRun(rig)
    keeping.verdict = 'keep'
    expect(await keeping.finish(answer('refused for good', 403), 'release')).toBe('recorded')
    expect((await rig.engine.begin(call())).kind).toBe('replay')
  })

  test('the keep option overrules the rules', async () => {
    const rig = createRig()
    expect(await (await beginRun(rig)).finish(answer('busy', 503), 'release')).toBe('released')
    expect(await (await beginRun(rig)).finish(answer('denied', 401), 'keep')).toBe('recorded')
  })

  test('a release is clean only if no earlier attempt is in doubt', async () => {
    const rig = createRig()
    const dead = createRig({ beside: rig })
    const recovery: Reconcile = async () => 'rerun'
    await beginRun(dead, { recovery })
    dead.clock.stalled = true
    await rig.time.advance(leaseMs)
    await (await beginRun(rig, { recovery })).finish(answer('slow down', 429))
    // The first attempt may have charged; a caller that may not find out is refused.
    const decision = await rig.engine.begin(call())
    expect(decision).toMatchObject({ kind: 'reject', problem: { code: 'outcome-unknown' } })
  })
})
