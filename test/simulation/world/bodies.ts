// What answers look like in these worlds.

import type { StoredResponse } from '../../../src/core/record.ts'
import type { Behaviour } from './behaviour.ts'

/** The answer of a run, as an HTTP adapter would record it. */
export function responseOf(run: number, behaviour: Behaviour): StoredResponse {
  const { status, tooLarge } = behaviour
  if (tooLarge) return { kind: 'tombstone', status, reason: 'too-large' }
  return { kind: 'kept', status, headers: [], body: Buffer.from(`run ${run}`) }
}

/** Which run an answer is of: all that a client can read off it. */
export function runOf(text: string): number {
  return Number(/run (\d+)/.exec(text)?.[1] ?? 0)
}

export function howOf(status: number): Behaviour['how'] {
  return status >= 500 ? 'failed' : 'good'
}
