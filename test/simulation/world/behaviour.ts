import type { Plan } from './plan.ts'
import { mixed } from './random.ts'

/** What a handler does this time. */
export interface Behaviour {
  readonly pays: boolean
  readonly status: number
  readonly how: 'good' | 'failed' | 'nothing'
  readonly tooLarge: boolean
  readonly hangs: boolean
  /** Stops before its effect when its lease is lost. */
  readonly obeys: boolean
  readonly beforeMs: number
  readonly afterMs: number
}

export function behaviourOf(plan: Plan, chance: number, probing: boolean): Behaviour {
  const timing = {
    obeys: mixed(chance, 1) % 2 === 0,
    beforeMs: mixed(chance, 2) % plan.workMs,
    afterMs: mixed(chance, 3) % plan.workMs,
  }
  const usual = { pays: true, status: 201, how: 'good', tooLarge: false, hangs: false, ...timing } as const
  if (probing) return { ...usual, beforeMs: 1, afterMs: 1 }
  switch (mixed(chance, 4) % 20) {
    case 0:
      return { ...usual, how: 'failed', status: 500 }
    case 1:
      return { ...usual, pays: false, how: 'failed', status: 503 }
    case 2:
      return { ...usual, pays: false, how: 'nothing', status: plan.entry === 'begin' ? 401 : 200 }
    case 3:
      return { ...usual, pays: false, how: 'nothing', status: 200 }
    case 4:
      return { ...usual, tooLarge: true }
    case 5:
      return { ...usual, pays: mixed(chance, 5) % 2 === 0, hangs: true }
    case 6:
      return { ...usual, pays: false, how: 'good', status: 402 }
    case 7:
      return { ...usual, pays: false, how: 'good', status: plan.entry === 'begin' ? 429 : 200 }
    default:
      return usual
  }
}
