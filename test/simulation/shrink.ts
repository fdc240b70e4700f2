// Makes a broken plan smaller, one thing at a time, as long as it breaks the same promise.

import { judge } from './judge.ts'
import type { Plan } from './world/plan.ts'
import { simulate, type Subject } from './world/simulate.ts'

export interface Shrunk {
  readonly plan: Plan
  readonly promise: string
  readonly details: string
  /** How many smaller worlds were tried. */
  readonly tried: number
}

const maxTries = 2_000

/** `undefined` where the plan breaks no promise. */
export async function shrink(plan: Plan, subject: Subject): Promise<Shrunk | undefined> {
  let tried = 0
  let current = await brokenAs(plan, subject)
  if (current === undefined) return undefined
  const { promise } = current
  for (let progress = true; progress && tried < maxTries; ) {
    progress = false
    for (const smaller of smallerPlans(current.plan, current.messageFaults)) {
      tried += 1
      const broken = await brokenAs(smaller, subject, promise)
      if (broken === undefined) continue
      current = broken
      progress = true
      break
    }
  }
  return { plan: current.plan, promise, details: current.details, tried }
}

/** The world told event by event, with the promise that it breaks at the end. */
export async function storyOf({ plan, promise, details }: Shrunk, subject: Subject): Promise<string[]> {
  const lines: string[] = []
  await simulate(plan, subject, (line) => lines.push(line))
  return [...folded(lines), '', `BROKEN: ${promise}: ${details}`]
}

/** A heartbeat that goes on and on is told once. */
function folded(lines: readonly string[]): string[] {
  return lines.filter((line, index) => {
    const [before, next] = [lines[index - 1], lines[index + 1]].map((neighbour) =>
      neighbour?.slice(timeWidth),
    )
    return before !== line.slice(timeWidth) || next !== line.slice(timeWidth)
  })
}

/** Of the time at the start of each line. */
const timeWidth = 12

interface BrokenPlan {
  readonly plan: Plan
  readonly promise: string
  readonly details: string
  readonly messageFaults: readonly string[]
}

async function brokenAs(plan: Plan, subject: Subject, promise?: string): Promise<BrokenPlan | undefined> {
  const { violations, messageFaults } = await judge(plan, subject)
  const violation = violations.find((candidate) => promise === undefined || candidate.promise === promise)
  return violation && { plan, promise: violation.promise, details: violation.details, messageFaults }
}

/** The large cuts first. */
function* smallerPlans(plan: Plan, messageFaults: readonly string[]): Iterable<Plan> {
  for (const index of plan.intents.keys()) {
    if (plan.intents.length > 1) yield { ...plan, intents: plan.intents.toSpliced(index, 1) }
  }
  for (const index of plan.faults.keys()) yield { ...plan, faults: plan.faults.toSpliced(index, 1) }
  for (const kind of ['late', 'lost', 'reset', 'duplicated'] as const) {
    if (plan.network[kind] > 0) yield { ...plan, network: { ...plan.network, [kind]: 0 } }
  }
  if (plan.bypass) yield { ...plan, bypass: false }
  if (plan.waitMs > 0) yield { ...plan, waitMs: 0 }
  for (const [index, intent] of plan.intents.entries()) {
    if (intent.copies > 1) yield { ...plan, intents: plan.intents.with(index, { ...intent, copies: 1 }) }
    const attempts = intent.attempts - 1
    if (attempts > 0) yield { ...plan, intents: plan.intents.with(index, { ...intent, attempts }) }
  }
  for (const name of messageFaults) yield { ...plan, muted: new Set([...plan.muted, name]) }
}
