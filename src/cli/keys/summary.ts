import { sinceMsOf } from '../../core/record.ts'
import type { InspectedRecord } from '../../core/store.ts'
import type { StateName } from './search.ts'

/** What a line of `hapax keys list` says. */
export interface KeySummary {
  readonly id: string
  readonly state: StateName
  readonly scope?: string
  readonly key?: string
  /** How long it has been in this state. Absent where the record does not say. */
  readonly ageMs?: number
  readonly attempt?: number
  readonly status?: number
  readonly expiresInMs?: number
  /** Why it can't be read. */
  readonly reason?: string
}

export function summaryOf(found: InspectedRecord, nowMs: number): KeySummary {
  if (found.state === 'unreadable') return { id: found.id, state: found.state, reason: found.reason }
  const { id, state, record } = found
  const sinceMs = sinceMsOf(record)
  return {
    id,
    state: record.state === 'completed' && record.failed ? 'failed' : state,
    ...record.label,
    ...(sinceMs !== null && { ageMs: Math.max(0, Math.round(nowMs - sinceMs)) }),
    attempt: record.attempt,
    ...(record.state === 'completed' && { status: record.response.status }),
    expiresInMs: Math.round(record.expiresAtMs - nowMs),
  }
}
