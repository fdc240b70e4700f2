import { IdempotencyError } from './errors.ts'
import type { StepRecord } from './record.ts'

/** What earlier attempts left of one step, as a `recovery` function sees it. */
export interface EarlierStep {
  readonly name: string
  /** `begun`: nobody knows whether it had its effect. */
  readonly state: 'begun' | 'finished'
  /** What it returned. Absent where it did not finish, returned nothing, or returned what could not be kept. */
  readonly result?: unknown
}

/** What a `recovery` function can see and say of the steps of earlier attempts. */
export interface EarlierSteps {
  /** In the order in which they began. */
  readonly steps: readonly EarlierStep[]
  /**
   * Says that a step which began had no effect: where the handler runs again, it runs as if it had never begun. Await it
   * before the verdict.
   *
   * @throws IdempotencyError `invalid-step` for a step that has finished or never began; `outcome-unknown` where another
   * run took over; `store-unavailable`.
   * @example
   * recovery: async ({ key, steps, undo }) => {
   *   if (await payments.find(key)) return { status: 201 }
   *   if (steps.some(({ name, state }) => name === 'charge' && state === 'begun')) await undo('charge')
   *   return 'rerun'
   * }
   */
  undo(name: string): Promise<void>
}

export function earlierStep(step: StepRecord): EarlierStep {
  const { name, state } = step
  if (state === 'begun' || step.result.kind !== 'json') return { name, state }
  const result: unknown = JSON.parse(step.result.json)
  return { name, state, result }
}

export function cannotUndo(name: string, step: StepRecord | undefined): IdempotencyError {
  const why = step === undefined ? 'is none that began' : 'has finished'
  return new IdempotencyError(
    'invalid-step',
    `The step ${JSON.stringify(name)} ${why}, so it can't be undone. Undo only steps whose state is "begun".`,
  )
}
