import { rulesOf, type SeededBug } from '../seeded-bugs.ts'
import { type Exploration, explore } from './explore.ts'
import { scenarios } from './scenarios.ts'
import { spaceOf } from './steps.ts'
import type { Scenario } from './world.ts'

/** Far more than any scenario has, so that a rule that makes the space endless fails instead of hanging. */
const maxStates = 500_000

export function exploreScenario(scenario: Scenario, bug?: SeededBug): Exploration {
  return explore(spaceOf(scenario, rulesOf(bug), bug ?? {}), maxStates)
}

interface Found {
  readonly scenario: string
  readonly promise: string
  readonly story: readonly string[]
  readonly states: number
}

/** The story of the first scenario, in the order of the list, in which the bug breaks a promise. */
export function storyOfBug(bug: SeededBug): Found | undefined {
  for (const scenario of scenarios) {
    const found = exploreScenario(scenario, bug)
    if (found.kind !== 'broken') continue
    return { scenario: scenario.name, promise: found.promise, story: found.story, states: found.states }
  }
  return undefined
}
