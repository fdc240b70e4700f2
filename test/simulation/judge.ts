import { createHash } from 'node:crypto'
import { check } from './checker/check.ts'
import type { HistoryEntry, Violation } from './checker/history.ts'
import { type Plan, planOf } from './world/plan.ts'
import { realSubject, simulate, type Simulated, type Subject } from './world/simulate.ts'

export interface Judged extends Simulated {
  readonly violations: readonly Violation[]
}

/** Lives through a plan and judges what came of it. */
export async function judge(plan: Plan, subject: Subject = realSubject): Promise<Judged> {
  const simulated = await simulate(plan, subject)
  const violations = check(simulated.history, simulated.terms)
  for (const details of simulated.surprises) violations.push({ promise: 'No surprises', key: '', details })
  return { ...simulated, violations }
}

/** The first seed in which a promise is broken: any promise, or the one that is named; in the worlds that are asked for. */
export async function firstBroken(
  subject: Subject,
  seeds: number,
  promise?: string,
  isMeant: (plan: Plan) => boolean = () => true,
): Promise<{ readonly seed: number; readonly violation: Violation } | undefined> {
  for (let seed = 0; seed < seeds; seed += 1) {
    const plan = planOf(seed)
    if (!isMeant(plan)) continue
    const { violations } = await judge(plan, subject)
    const violation = violations.find((candidate) => promise === undefined || candidate.promise === promise)
    if (violation !== undefined) return { seed, violation }
  }
  return undefined
}

/** Equal histories have equal digests, on every machine. */
export function digestOf(history: readonly HistoryEntry[]): string {
  return createHash('sha256')
    .update(history.map((entry) => JSON.stringify(entry)).join('\n'))
    .digest('hex')
}
