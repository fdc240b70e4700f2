import { describe, expect, test } from 'vitest'
import type { Reconcile, ReconcileContext } from '../../src/core/settings.ts'
import type { CallOptions, Rig } from '../support/engine-rig.ts'
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
import { type Deferred, deferred } from '../support/deferred.ts'
import { never } from '../support/run-rig.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

const find: Reconcile = async () => answer('found')

describe('who may take over', () => {
  const modes = { refuse: 'refuse', reconcile: find, rerun: 'rerun' } as const
  test.each([
    ['refuse', 'refuse', 'outcome-unknown'],
    ['refuse', 'reconcile', 'outcome-unknown'],
    ['refuse', 'rerun', 'outcome-unknown'],
    ['reconcile', 'refuse', 'outcome-unknown'],
    ['reconcile', 'reconcile', 'replay'],
    ['reconcile', 'rerun', 'outcome-unknown'],
    ['rerun', 'refuse', 'outcome-unknown'],
    ['rerun', 'reconcile', 'replay'],
    ['rerun', 'rerun', 'proceed'],
  ] as const)('the record says %s, the route %s: %s', async (record, route, expected) => {
    const rig = createRig()
    await leaveLapsed(rig, { recovery: modes[record] })
    const decision = await rig.engine.begin(call({ recovery: modes[route] }))
    expect(decision.kind === 'reject' ? decision.problem.code : decision.kind).toBe(expected)
  })

  test.each([
    ['refuse', 'replay'],
    ['rerun', 'proceed'],
  ] as const)('after a failure under %s: %s', async (recovery, expected) => {
    const rig = createRig()
    await (await beginRun(rig, { recovery })).finish(answer('broken', 503))
    expect((await rig.engine.begin(call({ recovery }))).kind).toBe(expected)
  })

  test('a good outcome is never taken over', async () => {
    const rig = createRig()
    await (await beginRun(rig, { recovery: 'rerun' })).finish(answer('good'))
    expectReplay(await rig.engine.begin(call({ recovery: 'rerun' })), 'good')
    expectReplay(await rig.engine.begin(call({ recovery: find })), 'good')
  })

  test('says in an event what was taken over from', async () => {
    const rig = createRig()
    await (await beginRun(rig, { recovery: 'rerun' })).finish(answer('broken', 500))
    await beginRun(rig, { recovery: 'rerun' })
    const [first, second] = eventsOf(rig, 'claimed')
    expect(first).not.toHaveProperty('takeover')
    expect(second).toMatchObject({ attempt: 2, takeover: 'released' })
    expect(eventsOf(rig, 'released')).toMatchObject([{ clean: false }])
  })
})

describe('a function that finds out', () => {
  test.each(['lapsed', 'unknown', 'failed'] as const)('is asked about a record that is %s', async (state) => {
    const rig = createRig()
    await leave(rig, state)
    const asked: ReconcileContext[] = []
    const recovery: Reconcile = async (context) => {
      asked.push(context)
      return answer('found')
    }
    expectReplay(await rig.engine.begin(call({ recovery })), 'found')
    expect(asked).toMatchObject([{ key: 'key', scope: 'user', attempt: 2, takeover: { of: state } }])
    if (state === 'failed') expect(asked[0]?.takeover).toMatchObject({ response: { status: 500 } })
    expect(eventsOf(rig, 'reconciled')).toMatchObject([{ verdict: 'response' }])
    // It is the record's one outcome from now on.
    expectReplay(await rig.engine.begin(call({ recovery })), 'found')
    expectReplay(await rig.engine.begin(call()), 'found')
    expect(asked).toHaveLength(1)
  })

  test('is believed whatever status it found: even one that would release the key', async () => {
    const rig = createRig()
    await leaveLapsed(rig, { recovery: find })
    const recovery: Reconcile = async () => answer('was refused', 403)
    expectReplay(await rig.engine.begin(call({ recovery })), 'was refused')
    expectReplay(await rig.engine.begin(call({ recovery: find })), 'was refused')
  })

  test('runs under a lease: others see the key in progress, for as long as it takes', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    await leaveLapsed(rig, { recovery: find })
    const { recovery, verdict } = slowly()
    const begun = rig.engine.begin(call({ recovery }))
    await rig.time.advance(3 * leaseMs)
    expectProblem(await other.engine.begin(call({ recovery })), 'in-progress')
    verdict.resolve(answer('found'))
    expectReplay(await begun, 'found')
  })

  test('"rerun" runs the handler, under the same lease', async () => {
    const rig = createRig()
    await leaveLapsed(rig, { recovery: find })
    const lease = await beginRun(rig, { recovery: async () => 'rerun' })
    expect(lease).toMatchObject({ held: { attempt: 2, takeover: true }, takeover: { of: 'lapsed' } })
    await lease.finish(answer('second'))
    expectReplay(await rig.engine.begin(call()), 'second')
    expect(eventsOf(rig, 'reconciled')).toMatchObject([{ verdict: 'rerun' }])
  })

  test('is told which steps finished, and which began', async () => {
    const rig = createRig()
    await leaveInSteps(rig)
    const asked: unknown[] = []
    const recovery: Reconcile = async ({ steps }) => {
      asked.push(steps)
      return 'rerun'
    }
    const lease = await beginRun(rig, { recovery })
    expect(asked).toEqual([
      [
        { name: 'reserve', state: 'finished', result: { seat: 7 } },
        { name: 'log', state: 'finished' },
        { name: 'charge', state: 'begun' },
      ],
    ])
    const charging = lease.steps.step('charge', never)
    await expect(charging).rejects.toMatchObject({ code: 'outcome-unknown' })
  })

  test('can say that a step did not happen: then it runs again, and the others do not', async () => {
    const rig = createRig()
    await leaveInSteps(rig)
    const recovery: Reconcile = async ({ undo }) => {
      await undo('charge')
      return 'rerun'
    }
    const lease = await beginRun(rig, { recovery })
    expect(await lease.steps.step('reserve', never)).toEqual({ seat: 7 })
    expect(await lease.steps.step('log', never)).toBeUndefined()
    expect(await lease.steps.step('charge', () => 'ch_1')).toBe('ch_1')
    expect(await lease.finish(answer('paid'))).toBe('recorded')
    expectReplay(await rig.engine.begin(call()), 'paid')
  })

  test.each([
    ['reserve', 'has finished'],
    ['mail', 'is none that began'],
  ])('can not undo the step %s, which %s', async (name, why) => {
    const rig = createRig()
    await leaveInSteps(rig)
    const recovery: Reconcile = async ({ undo }) => {
      await undo(name)
      return 'rerun'
    }
    expectProblem(await rig.engine.begin(call({ recovery })), 'outcome-unknown')
    const message = `The step "${name}" ${why}, so it can't be undone. Undo only steps whose state is "begun".`
    expect(eventsOf(rig, 'reconciled')).toMatchObject([
      { verdict: 'threw', error: { code: 'invalid-step', message } },
    ])
  })

  test('undoes nothing when another run took over, or the store is down', async () => {
    const rig = createRig()
    await leaveInSteps(rig)
    const late = createRig({ beside: rig })
    const verdict = deferred()
    const slow: Reconcile = async ({ undo }) => {
      await verdict.promise
      await undo('charge')
      return 'rerun'
    }
    const begun = late.engine.begin(call({ recovery: slow }))
    await rig.time.advance(1)
    late.clock.stalled = true
    await rig.time.advance(leaseMs)
    const down: Reconcile = ({ undo }) => {
      rig.link.always('refuse', 'step')
      return undo('charge').then(() => 'rerun')
    }
    const refused = rig.engine.begin(call({ recovery: down }))
    await rig.time.advance(2_000)
    expectProblem(await refused, 'outcome-unknown')
    rig.link.heal()
    verdict.resolve()
    expectProblem(await begun, 'outcome-unknown')
    const lease = await beginRun(rig, { recovery: async () => 'rerun' })
    await expect(lease.steps.step('charge', never)).rejects.toMatchObject({ code: 'outcome-unknown' })
  })

  test('"refuse" leaves the outcome unknown, and the next try may ask again', async () => {
    const rig = createRig()
    await leaveLapsed(rig, { recovery: find })
    expectProblem(await rig.engine.begin(call({ recovery: async () => 'refuse' })), 'outcome-unknown')
    expect(await inspect(rig)).toMatchObject({ state: 'unknown' })
    expectReplay(await rig.engine.begin(call({ recovery: find })), 'found')
    expect(eventsOf(rig, 'reconciled').map(({ verdict }) => verdict)).toEqual(['refuse', 'response'])
  })

  test('that throws is as good as "refuse", and its error can be seen', async () => {
    const rig = createRig()
    await leaveLapsed(rig, { recovery: find })
    const error = new Error('no answer from the bank')
    expectProblem(await rig.engine.begin(call({ recovery: () => Promise.reject(error) })), 'outcome-unknown')
    expect(eventsOf(rig, 'reconciled')).toMatchObject([{ verdict: 'threw', error }])
    expectReplay(await rig.engine.begin(call({ recovery: find })), 'found')
  })

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a word of its own', 'retry'],
    ['true', true],
    ['an answer without a status', { kind: 'kept', headers: [], body: new Uint8Array() }],
    ['an answer that is not final', { ...answer(), status: 103 }],
  ])('that returns %s has failed, and wedges nothing', async (_, verdict) => {
    const rig = createRig()
    await leaveLapsed(rig, { recovery: find })
    // What plain JavaScript may return.
    const recovery = (async () => verdict) as Reconcile
    expectProblem(await rig.engine.begin(call({ recovery })), 'outcome-unknown')
    expect(eventsOf(rig, 'reconciled')).toMatchObject([
      { verdict: 'threw', error: { message: expect.stringContaining('"recovery" function must return') } },
    ])
    expectReplay(await rig.engine.begin(call({ recovery: find })), 'found')
  })

  test('whose answer the store does not acknowledge: told, and recorded later', async () => {
    const rig = createRig()
    await leaveLapsed(rig, { recovery: find })
    rig.link.next('complete', 'refuse')
    expectReplay(await rig.engine.begin(call({ recovery: find })), 'found')
    await rig.time.advance(50)
    expectReplay(await rig.engine.begin(call()), 'found')
  })

  test('that was overtaken by another while it looked: its answer is not told', async () => {
    const rig = createRig()
    const other = createRig({ beside: rig })
    await leaveLapsed(rig, { recovery: find })
    const { recovery, verdict } = slowly()
    const begun = rig.engine.begin(call({ recovery }))
    await rig.time.advance(1)
    rig.clock.stalled = true
    await rig.time.advance(leaseMs)
    expectReplay(await other.engine.begin(call({ recovery: async () => answer('theirs') })), 'theirs')
    rig.clock.stalled = false
    verdict.resolve(answer('ours'))
    expectProblem(await begun, 'outcome-unknown')
    expectReplay(await rig.engine.begin(call()), 'theirs')
  })

  test('a waiter whose winner dies finds out for all who wait', async () => {
    const rig = createRig()
    await leaveRunning(rig, { recovery: find })
    let asked = 0
    const recovery: Reconcile = async () => {
      asked += 1
      return answer('found')
    }
    const concurrent = { kind: 'wait', waitMs: 60_000 } as const
    const waiters = [1, 2, 3].map(() => rig.engine.begin(call({ recovery, concurrent })))
    await rig.time.advance(leaseMs)
    for (const decision of await Promise.all(waiters)) expectReplay(decision, 'found')
    expect(asked).toBe(1)
  })
})

describe('the late owner', () => {
  test('is stale after somebody found out', async () => {
    const rig = createRig()
    const late = await leaveLapsed(rig, { recovery: find })
    expectReplay(await rig.engine.begin(call({ recovery: find })), 'found')
    expect(await late.finish(answer('late'))).toBe('withheld')
    expectReplay(await rig.engine.begin(call()), 'found')
  })

  test('is stale after somebody could not find out', async () => {
    const rig = createRig()
    const late = await leaveLapsed(rig, { recovery: find })
    expectProblem(await rig.engine.begin(call({ recovery: async () => 'refuse' })), 'outcome-unknown')
    expect(await late.finish(answer('late'))).toBe('withheld')
    expectProblem(await rig.engine.begin(call()), 'outcome-unknown')
  })
})

/** A run of a process that is dead, as it seems. */
async function leaveRunning(rig: Rig, options: CallOptions): ReturnType<typeof beginRun> {
  const dead = createRig({ beside: rig })
  const lease = await beginRun(dead, options)
  dead.clock.stalled = true
  return lease
}

async function leaveLapsed(rig: Rig, options: CallOptions): ReturnType<typeof beginRun> {
  const lease = await leaveRunning(rig, options)
  await rig.time.advance(leaseMs)
  return lease
}

async function leave(rig: Rig, state: 'lapsed' | 'unknown' | 'failed'): Promise<void> {
  if (state === 'lapsed') {
    await leaveLapsed(rig, { recovery: find })
    return
  }
  const lease = leaseOf(await rig.engine.begin(call({ recovery: find })))
  if (state === 'unknown') await lease.finishUnknown()
  else await lease.finish(answer('broken', 500))
}

function slowly(): { recovery: Reconcile; verdict: Deferred<Awaited<ReturnType<Reconcile>>> } {
  const verdict = deferred<Awaited<ReturnType<Reconcile>>>()
  return { recovery: () => verdict.promise, verdict }
}

/** Two steps finished, the third began, and the process is gone. */
async function leaveInSteps(rig: Rig): Promise<void> {
  const gone = createRig({ beside: rig })
  const { steps } = await beginRun(gone, { recovery: find })
  await steps.step('reserve', () => ({ seat: 7 }))
  await steps.step('log', () => undefined)
  void steps.step('charge', () => new Promise(() => {}))
  await rig.time.advance(1)
  gone.clock.stalled = true
  await rig.time.advance(leaseMs)
}
