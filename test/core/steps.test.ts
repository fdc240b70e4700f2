import { describe, expect, test } from 'vitest'
import type { Lease } from '../../src/core/lease.ts'
import type { RunRecoveryContext } from '../../src/core/run.ts'
import type { StepOptions } from '../../src/core/steps.ts'
import { deferred } from '../support/deferred.ts'
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
  type Rig,
} from '../support/engine-rig.ts'
import { createRuns, failure, never, request } from '../support/run-rig.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

const rerun = { recovery: 'rerun' } as const

describe('a step', () => {
  test('runs once for its key: the next attempt gets what it returned', async () => {
    const rig = createRig()
    const first = await beginRun(rig, rerun)
    expect(await first.steps.step('charge', async () => ({ id: 'ch_1' }))).toEqual({ id: 'ch_1' })
    await first.finish(answer('broken', 500))

    const second = await beginRun(rig, rerun)
    expect(await second.steps.step('charge', never)).toEqual({ id: 'ch_1' })
    expect(await second.finish(answer('done'))).toBe('recorded')
    expectReplay(await rig.engine.begin(call(rerun)), 'done')
  })

  test('is remembered through a crash, and through attempts that do not come to it', async () => {
    const rig = createRig()
    const dead = createRig({ beside: rig })
    await (await beginRun(dead, rerun)).steps.step('charge', () => 'ch_1')
    dead.clock.stalled = true
    await rig.time.advance(leaseMs)

    await (await beginRun(rig, rerun)).finish(answer('broken before the charge', 503))
    expect(eventsOf(rig, 'steps-unvisited')).toMatchObject([{ names: ['charge'] }])
    expect(await (await beginRun(rig, rerun)).steps.step('charge', never)).toBe('ch_1')
  })

  test('gives results as JSON gives them back, on the first run too', async () => {
    const lease = await beginRun(createRig())
    const date = new Date(0)
    expect(await lease.steps.step('date', () => ({ date, nothing: undefined }))).toEqual({
      date: '1970-01-01T00:00:00.000Z',
    })
    expect(await lease.steps.step('nothing', () => undefined)).toBeUndefined()
    expect(await lease.steps.step('null', () => null)).toBeNull()
  })

  test.each([
    ['not JSON', () => 10n],
    ['a cycle', cycle],
    ['a function', () => never],
    ['too large', () => 'x'.repeat(70_000)],
  ])('whose result is %s goes on, and can not be had in the next attempt', async (_, make) => {
    const rig = createRig()
    const first = await beginRun(rig, rerun)
    const value: unknown = make()
    expect(await first.steps.step('odd', () => value)).toBe(value)
    await first.finish(answer('broken', 500))
    const second = await beginRun(rig, rerun)
    expect(await failure(second.steps.step('odd', never))).toMatchObject({
      code: 'step-result-not-kept',
      message:
        'The step "odd" ran in an earlier attempt, but its result was not kept. ' +
        'Return JSON of at most 64 KiB, for example the id of what was made.',
    })
  })

  test('is durable before its function runs, and takes two round trips', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    await lease.steps.step('charge', async () => {
      expect(await inspect(rig)).toMatchObject({ record: { steps: [{ name: 'charge', state: 'begun' }] } })
    })
    expect(rig.link.calls.step).toBe(2)
  })

  test('runs beside others', async () => {
    const rig = createRig()
    const lease = await beginRun(rig, rerun)
    const results = await Promise.all(['a', 'b', 'c'].map((name) => lease.steps.step(name, () => name)))
    expect(results).toEqual(['a', 'b', 'c'])
    await lease.finish(answer('broken', 500))
    const next = await beginRun(rig, rerun)
    expect(await next.steps.step('c', never)).toBe('c')
    expect(await next.steps.step('a', never)).toBe('a')
  })
})

describe('a step of which nobody knows the end', () => {
  test('ends the run as unknown, even if the handler swallows the error', async () => {
    const rig = createRig()
    await leaveBegun(rig)
    const lease = await beginRun(rig, rerun)
    expect(await failure(lease.steps.step('charge', never))).toMatchObject({ code: 'outcome-unknown' })
    expect(await lease.finish(answer('all is well'))).toBe('withheld')
    expect(await inspect(rig)).toMatchObject({ state: 'unknown', record: { steps: [{ name: 'charge' }] } })
    expect(eventsOf(rig, 'step-unknown')).toMatchObject([{ name: 'charge' }])
    expectProblem(await rig.engine.begin(call()), 'outcome-unknown')
  })

  test.each([
    [true, true, 'runs'],
    [true, false, 'is unknown'],
    [false, true, 'is unknown'],
    [false, false, 'is unknown'],
  ])('safe then %s, safe now %s: %s', async (then, now, expected) => {
    const rig = createRig()
    await leaveBegun(rig, { safe: then })
    const lease = await beginRun(rig, rerun)
    const again = lease.steps.step('charge', () => 'ran again', { safe: now })
    if (expected === 'runs') expect(await again).toBe('ran again')
    else expect(await failure(again)).toMatchObject({ code: 'outcome-unknown' })
  })

  test('is none where the error says that nothing happened', async () => {
    const rig = createRig()
    await leaveBegun(rig, { noEffect: (error) => error instanceof Error && error.message === 'no answer' })
    const lease = await beginRun(rig, rerun)
    expect(await lease.steps.step('charge', () => 'charged')).toBe('charged')
  })

  test('stays one where an earlier attempt of it may have had its effect', async () => {
    const rig = createRig()
    await leaveBegun(rig, { safe: true })
    const second = await beginRun(rig, rerun)
    const refused = second.steps.step('charge', () => Promise.reject(new Error('refused')), {
      safe: true,
      noEffect: () => true,
    })
    await failure(refused)
    await second.finish(answer('broken', 500))
    const third = await beginRun(rig, rerun)
    expect(await failure(third.steps.step('charge', never))).toMatchObject({ code: 'outcome-unknown' })
  })

  test('a noEffect that throws says nothing', async () => {
    const rig = createRig()
    await leaveBegun(rig, {
      noEffect: () => {
        throw new Error('broken')
      },
    })
    const lease = await beginRun(rig, rerun)
    expect(await failure(lease.steps.step('charge', never))).toMatchObject({ code: 'outcome-unknown' })
  })
})

describe('with steps', () => {
  test('nothing is released as if it had not happened', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    await lease.steps.step('charge', () => 'ch_1')
    expect(await lease.finish(answer('slow down', 429))).toBe('recorded')
    expectReplay(await rig.engine.begin(call()), 'slow down')
  })

  test('release() lets the next try resume where recovery allows it', async () => {
    const rig = createRig()
    const lease = await beginRun(rig, rerun)
    await lease.steps.step('charge', () => 'ch_1')
    lease.verdict = 'release'
    expect(await lease.finish(answer())).toBe('released')
    expect(eventsOf(rig, 'released')).toMatchObject([{ clean: false }])
    expect(await (await beginRun(rig, rerun)).steps.step('charge', never)).toBe('ch_1')
  })

  test('release() keeps the answer where nobody may run again', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    await lease.steps.step('charge', () => 'ch_1')
    lease.verdict = 'release'
    expect(await lease.finish(answer('sold out', 409))).toBe('recorded')
    expectReplay(await rig.engine.begin(call()), 'sold out')
  })

  test('a failure that recovery lets run again keeps them', async () => {
    const rig = createRig()
    const ask = { recovery: async () => 'rerun' as const }
    const lease = await beginRun(rig, ask)
    await lease.steps.step('charge', () => 'ch_1')
    await lease.finish(answer('broken', 500))
    expect(await (await beginRun(rig, ask)).steps.step('charge', never)).toBe('ch_1')
  })

  test('what recovery finds out is recorded, and says nothing of steps that were not visited', async () => {
    const rig = createRig()
    const ask = { recovery: async () => answer('found') }
    const lease = await beginRun(rig, ask)
    await lease.steps.step('charge', () => 'ch_1')
    await lease.finish(answer('broken', 500))
    expectReplay(await rig.engine.begin(call(ask)), 'found')
    expect(eventsOf(rig, 'steps-unvisited')).toEqual([])
  })

  test('the answer waits for the steps under way', async () => {
    const rig = createRig()
    const lease = await beginRun(rig, rerun)
    const charge = deferred<string>()
    const step = lease.steps.step('charge', () => charge.promise)
    const finished = lease.finish(answer('broken', 500))
    await rig.time.advance(1_000)
    expect(await inspect(rig)).toMatchObject({ state: 'running' })
    charge.resolve('ch_1')
    expect(await step).toBe('ch_1')
    expect(await finished).toBe('released')
    expect(await (await beginRun(rig, rerun)).steps.step('charge', never)).toBe('ch_1')
  })
})

describe('a lease that was lost', () => {
  test('refuses the step before its function runs', async () => {
    const rig = createRig()
    const lease = await lateLease(rig)
    expect(await failure(lease.steps.step('charge', never))).toMatchObject({ code: 'outcome-unknown' })
    expect(lease.signal.aborted).toBe(true)
    expect(await failure(lease.steps.step('mail', never))).toMatchObject({ code: 'outcome-unknown' })
  })

  test('in the middle of a step: its result is not told as if it were remembered', async () => {
    const rig = createRig()
    const late = createRig({ beside: rig })
    const lease = await beginRun(late, rerun)
    const charge = deferred<string>()
    const step = lease.steps.step('charge', () => charge.promise)
    await rig.time.advance(1)
    late.clock.stalled = true
    await rig.time.advance(leaseMs)
    const winner = await beginRun(rig, rerun)
    expect(await failure(winner.steps.step('charge', never))).toMatchObject({ code: 'outcome-unknown' })
    charge.resolve('ch_1')
    expect(await failure(step)).toMatchObject({ code: 'outcome-unknown' })
  })
})

describe('a store that is down', () => {
  test('at the beginning of a step: its function does not run', async () => {
    const rig = createRig()
    const lease = await beginRun(rig)
    rig.link.next('step', 'refuse')
    expect(await failure(lease.steps.step('charge', never))).toMatchObject({ code: 'store-unavailable' })
    // The mark may have landed, so the key is not free.
    expect(await lease.finish(answer('slow down', 429))).toBe('recorded')
  })

  test.each(['refuse', 'break-reply'] as const)(
    'at its end, for a moment (%s): it is sent again',
    async (fault) => {
      const rig = createRig()
      const lease = await beginRun(rig, rerun)
      const step = lease.steps.step('charge', () => {
        rig.link.next('step', fault, fault)
        return 'ch_1'
      })
      await rig.time.advance(150)
      expect(await step).toBe('ch_1')
      expect(rig.link.calls.step).toBe(4)
      await lease.finish(answer('broken', 500))
      expect(await (await beginRun(rig, rerun)).steps.step('charge', never)).toBe('ch_1')
    },
  )

  test.each(['refuse', 'drop'] as const)(
    'at its end (%s): the run goes on, and the next attempt does not know it',
    async (fault) => {
      const rig = createRig()
      const lease = await beginRun(rig, rerun)
      const step = lease.steps.step('charge', () => {
        rig.link.always(fault, 'step')
        return 'ch_1'
      })
      await rig.time.advance(2_000)
      expect(await step).toBe('ch_1')
      rig.link.heal()
      await lease.finish(answer('broken', 500))
      const next = await beginRun(rig, rerun)
      expect(await failure(next.steps.step('charge', never))).toMatchObject({ code: 'outcome-unknown' })
    },
  )
})

describe('bad input is an error that names the cure', () => {
  test.each(['', 'x'.repeat(201), 'a\nb', '\ud800', 7, undefined])('the name %j', async (name) => {
    const lease = await beginRun(createRig())
    expect(await failure(lease.steps.step(name as string, never))).toMatchObject({ code: 'invalid-step' })
  })

  test('two steps of one name', async () => {
    const lease = await beginRun(createRig())
    await lease.steps.step('charge', () => 1)
    expect(await failure(lease.steps.step('charge', never))).toMatchObject({
      code: 'duplicate-step',
      message:
        'There are two steps named "charge" in one run, and a remembered result belongs to one. ' +
        "Give each its own name, for example with the item's id in it.",
    })
  })

  test('a step after the answer', async () => {
    const lease = await beginRun(createRig())
    const finished = lease.finish(answer())
    const refused = {
      code: 'step-after-answer',
      message:
        'The step "late" came after the answer, which is being recorded. Await every step before answering.',
    }
    expect(await failure(lease.steps.step('late', never))).toMatchObject(refused)
    await finished
    expect(await failure(lease.steps.step('late', never))).toMatchObject(refused)
  })

  test('another input under one name; the same one is welcome', async () => {
    const rig = createRig()
    const first = await beginRun(rig, rerun)
    await first.steps.step('charge', () => 1, { input: { cents: 5, currency: 'EUR' } })
    await first.finish(answer('broken', 500))
    const second = await beginRun(rig, rerun)
    expect(await second.steps.step('charge', never, { input: { currency: 'EUR', cents: 5 } })).toBe(1)
    await second.finish(answer('broken', 500))
    const third = await beginRun(rig, rerun)
    expect(await failure(third.steps.step('charge', never, { input: { cents: 6 } }))).toMatchObject({
      code: 'step-input-changed',
      message:
        'The step "charge" ran with another input in an earlier attempt. ' +
        'Build the input from the request alone, or give the step another name.',
    })
  })

  test.each([
    ['no function', 'not a function' as never, {}],
    ['an input that is not JSON', never, { input: 1n }],
  ])('%s', async (_, fn, options) => {
    const lease = await beginRun(createRig())
    const error = await failure(lease.steps.step('charge', fn, options))
    expect(error).toMatchObject({ code: 'invalid-option' })
    // The name is not used up by a call that was refused.
    expect(await lease.steps.step('charge', () => 1)).toBe(1)
  })

  test('a transaction without a journal', async () => {
    const lease = await beginRun(createRig())
    expect(await failure(lease.steps.transaction('order', never))).toMatchObject({
      code: 'transaction-unavailable',
      message:
        'transaction("order") needs a journal in the application\'s database: ' +
        'set the "journal" option (hapax/journal), or use step().',
    })
  })
})

describe('run()', () => {
  test('gives its function steps and derived keys', async () => {
    const { once } = createRuns()
    const keys: string[] = []
    const attempt = (fail: boolean) =>
      once.run({ ...request, ...rerun }, async ({ step, derive }) => {
        keys.push(derive('charge'))
        const charge = await step('charge', () => (fail ? 'first' : 'second'))
        if (fail) throw new Error('broken')
        return charge
      })
    await failure(attempt(true))
    expect(await attempt(false)).toBe('first')
    expect(new Set(keys).size).toBe(1)
  })

  test('a recovery function hears of them, and can undo one', async () => {
    const { rig, once } = createRuns()
    const refuse = { ...request, recovery: () => 'refuse' as const }
    const first = once.run(refuse, async ({ step }) => {
      await step('reserve', () => 7)
      await step('charge', () => Promise.reject(new Error('no answer')))
    })
    await failure(first)
    const recovery = async ({ steps, undo }: RunRecoveryContext) => {
      for (const { name, state } of steps) if (state === 'begun') await undo(name)
      return 'rerun' as const
    }
    const second = once.run({ ...request, recovery }, async ({ step }) => [
      await step('reserve', never),
      await step('charge', () => 'ch_1'),
    ])
    expect(await second).toEqual([7, 'ch_1'])
    expect(eventsOf(rig, 'reconciled')).toMatchObject([{ verdict: 'rerun' }])
  })

  test('a step that nobody knows the end of is an error, and not the result', async () => {
    const { rig, once } = createRuns()
    const attempt = () =>
      once.run({ ...request, ...rerun }, async ({ step }) => {
        await step('charge', () => Promise.reject(new Error('no answer'))).catch(() => {})
        if (rig.events.some(({ type }) => type === 'released')) return 'all is well'
        throw new Error('broken')
      })
    await failure(attempt())
    expect(await failure(attempt())).toMatchObject({ code: 'outcome-unknown' })
  })

  test('without the store, steps just run', async () => {
    const { rig, once } = createRuns({ onStoreError: 'bypass' })
    rig.link.always('refuse', 'claim', 'step')
    expect(await once.run(request, ({ step }) => step('charge', () => 'ch_1'))).toBe('ch_1')
  })
})

/** A handler whose step "charge" began and never ended. */
async function leaveBegun(rig: Rig, options: StepOptions = {}): Promise<void> {
  const lease = await beginRun(rig, rerun)
  const step = lease.steps.step('charge', () => Promise.reject(new Error('no answer')), options)
  expect(await failure(step)).toMatchObject({ message: 'no answer' })
  await lease.finish(answer('broken', 500))
}

/** A lease that another process took over while its own was stalled. */
async function lateLease(rig: Rig): Promise<Lease> {
  const late = createRig({ beside: rig })
  const lease = await beginRun(late, rerun)
  late.clock.stalled = true
  await rig.time.advance(leaseMs)
  await beginRun(rig, rerun)
  return lease
}

function cycle(): unknown {
  const self: { self?: unknown } = {}
  self.self = self
  return self
}
