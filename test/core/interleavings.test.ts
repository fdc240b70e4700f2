import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Fault } from '../support/faulty-link.ts'
import { type Action, type Mode, Simulation } from '../support/simulation.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

const process = fc.nat({ max: 2 })
const key = fc.nat({ max: 1 })
const fault = fc.constantFrom<Fault>(
  'refuse',
  'throw',
  'drop',
  'lose-reply',
  'break-reply',
  'repeat',
  { requestDelayMs: 700 },
  { requestDelayMs: 4_000 },
  { replyDelayMs: 700 },
  { replyDelayMs: 4_000 },
)
const verb = fc.constantFrom('claim', 'renew', 'complete', 'release', 'abandon', 'watch')

const begin = fc.record({
  do: fc.constant('begin'),
  process,
  key,
  waitMs: fc.constantFrom(0, 0, 3_000, 20_000),
})
const finish = fc.record({
  do: fc.constant('finish'),
  nth: fc.nat({ max: 3 }),
  how: fc.constantFrom('good', 'good', 'failed', 'released'),
})
const advance = fc.record({
  do: fc.constant('advance'),
  ms: fc.constantFrom(1, 60, 400, 1_100, 3_400, 12_000),
})
const pause = fc.record({ do: fc.constantFrom('stall', 'resume', 'resume'), process })
const overtake = fc.record({ do: fc.constant('overtake'), process, key })
const oneFault = fc.record({ do: fc.constant('fault'), process, verb, fault })
const outage = fc.record({ do: fc.constant('outage'), process, fault })
const heal = fc.record({ do: fc.constant('heal'), process })
const crash = fc.record({ do: fc.constant('crash'), process })

type Weighted = { weight: number; arbitrary: fc.Arbitrary<Action> }
const calm: Weighted[] = [
  { weight: 6, arbitrary: begin },
  { weight: 4, arbitrary: finish },
  { weight: 4, arbitrary: advance },
]
const stormy: Weighted[] = [
  { weight: 4, arbitrary: oneFault },
  { weight: 1, arbitrary: outage },
  { weight: 1, arbitrary: heal },
  { weight: 1, arbitrary: pause },
  { weight: 1, arbitrary: overtake },
]

function script(...actions: Weighted[]): fc.Arbitrary<Action[]> {
  return fc.array(fc.oneof(...actions), { minLength: 1, maxLength: 60, size: 'max' })
}

// Each promise is tested where it is not excused: after a crash, for one, an outcome may stay unknown for good.
const scripts = fc.oneof(
  script(...calm),
  script(...calm, { weight: 3, arbitrary: overtake }),
  script(...calm, ...stormy),
  script(...calm, ...stormy, { weight: 1, arbitrary: crash }),
)

const modes = fc.tuple(
  fc.constantFrom<Mode>('refuse', 'rerun', 'reconcile'),
  fc.constantFrom<Mode>('refuse', 'rerun', 'reconcile'),
)

// For a long search: HAPAX_SIMULATIONS=100000 vitest run test/core/interleavings.test.ts
const searches = Number(globalThis.process.env['HAPAX_SIMULATIONS'] ?? 0)

test('whatever happens, in whatever order, the promises hold', {
  timeout: searches === 0 ? 20_000 : 3_600_000,
}, async () => {
  let simulated = 0
  await fc.assert(
    fc.asyncProperty(modes, scripts, async (chosen, actions) => {
      simulated += 1
      await new Simulation(3, chosen).run(actions)
    }),
    {
      numRuns: searches === 0 ? 1_500 : searches,
      ...(searches === 0 && { interruptAfterTimeLimit: 4_000, markInterruptAsFailure: false }),
    },
  )
  // A machine so slow that it simulated next to nothing has tested next to nothing.
  expect(simulated).toBeGreaterThan(10)
})
