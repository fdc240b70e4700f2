import { CannotTest } from './cannot-test.ts'
import { type Capability, type Case, classOf, type Profile } from './model.ts'

type Choice = {
  readonly profile?: Profile
  readonly only?: readonly string[]
  readonly skip?: readonly string[]
  readonly long?: boolean
}

/** What any live API can be tested on: nothing to prepare but at most a slow operation or a PATCH. */
const coreNeeds = new Set<Capability>(['probe', 'slow', 'key-required', 'json', 'patch', 'key-in-header'])

export function chosenBy(cases: readonly Case[], choice: Choice): Case[] {
  for (const name of [...(choice.only ?? []), ...(choice.skip ?? [])]) {
    if (!cases.some((one) => matches(one, name)))
      throw new CannotTest(`There is no row or class ${JSON.stringify(name)}.`)
  }
  const skipped = (one: Case): boolean => (choice.skip ?? []).some((name) => matches(one, name))
  const { only } = choice
  if (only !== undefined) {
    return cases.filter((one) => !skipped(one) && only.some((name) => matches(one, name)))
  }
  const profile = choice.profile ?? 'core'
  return cases.filter(
    (one) => !skipped(one) && belongs(one, profile) && (choice.long === true || !isLong(one)),
  )
}

/** Whether a row belongs to a profile. The calibration rows belong to all. */
export function belongs(one: Case, profile: Profile): boolean {
  if (one.level === 'METHOD' || profile === 'full') return true
  if (profile === 'safety') return one.safety
  if (one.heavy === true || (one.level !== 'MUST' && one.level !== 'SHOULD')) return false
  return one.needs.every((need) => coreNeeds.has(need))
}

function isLong(one: Case): boolean {
  return one.needs.includes('long')
}

function matches(one: Case, name: string): boolean {
  const wanted = name.toUpperCase()
  return one.id === wanted || classOf(one.id) === wanted
}
