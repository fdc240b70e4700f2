import { invalidOption } from '../../core/errors.ts'
import type { IdempotencyRecord } from '../../core/record.ts'
import type { InspectedRecord, InspectQuery, InspectState } from '../../core/store.ts'
import { inspectedState } from '../../core/transitions.ts'

export function inspected(record: IdempotencyRecord, nowMs: number): InspectedRecord {
  return { id: record.id, state: inspectedState(record, nowMs), record }
}

export function isWanted(state: InspectState, query: InspectQuery): boolean {
  return query.states === undefined || query.states.includes(state)
}

/** The cursor of the embedded stores: the position that the next page ends before, as digits. */
export function positionOf(query: InspectQuery): number {
  if (!Number.isSafeInteger(query.limit) || query.limit < 1) {
    throw invalidOption('limit', 'a whole number above 0', query.limit)
  }
  if (query.cursor === undefined) return Number.MAX_SAFE_INTEGER
  const position = /^\d{1,16}$/.test(query.cursor) ? Number(query.cursor) : Number.NaN
  if (Number.isSafeInteger(position)) return position
  throw invalidOption('cursor', 'the cursor of an earlier page', query.cursor)
}
