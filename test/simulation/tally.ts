import type { Judged } from './judge.ts'

/** What many worlds amount to. Plain data, so that a worker thread can send it. */
export interface Tally {
  readonly seeds: number
  readonly events: number
  /** How often each fault was injected. */
  readonly faults: Readonly<Record<string, number>>
  /** What the histories consist of: how often each kind of answer was heard, and so on. */
  readonly happened: Readonly<Record<string, number>>
}

export const noTally: Tally = { seeds: 0, events: 0, faults: {}, happened: {} }

export function tallyOf({ events, faults, history }: Judged): Tally {
  const happened: Record<string, number> = {}
  for (const entry of history) {
    const name = entry.kind === 'answer' ? `answer: ${entry.says}` : entry.kind
    happened[name] = (happened[name] ?? 0) + 1
  }
  return { seeds: 1, events, faults: Object.fromEntries(faults), happened }
}

export function sum(a: Tally, b: Tally): Tally {
  return {
    seeds: a.seeds + b.seeds,
    events: a.events + b.events,
    faults: sumOf(a.faults, b.faults),
    happened: sumOf(a.happened, b.happened),
  }
}

function sumOf(a: Tally['faults'], b: Tally['faults']): Record<string, number> {
  const total: Record<string, number> = { ...a }
  for (const [name, count] of Object.entries(b)) total[name] = (total[name] ?? 0) + count
  return total
}
