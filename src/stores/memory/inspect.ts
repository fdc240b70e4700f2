import type { IdempotencyRecord } from '../../core/record.ts'
import type {
  InspectedRecord,
  Inspection,
  InspectPage,
  InspectQuery,
  Resolution,
  SettleResult,
} from '../../core/store.ts'
import * as rules from '../../core/transitions.ts'
import { inspected, isWanted, positionOf } from '../embedded/inspecting.ts'
import type { RecordTable } from './table.ts'

interface Access {
  now(): number
  put(record: IdempotencyRecord): void
  delete(id: string): IdempotencyRecord | undefined
}

export function inspectTable(table: RecordTable, access: Access): Inspection {
  return {
    async list(query) {
      return page(table, query, access.now())
    },
    async get(id) {
      const nowMs = access.now()
      const record = table.get(id)
      return record === undefined || rules.isExpired(record, nowMs) ? undefined : inspected(record, nowMs)
    },
    async forget(id) {
      const nowMs = access.now()
      const deleted = access.delete(id)
      return deleted !== undefined && !rules.isExpired(deleted, nowMs)
    },
    async settle(id: string, resolution: Resolution): Promise<SettleResult> {
      const { result, write } = rules.settle(table.get(id), resolution, access.now())
      if (write !== undefined) access.put(write)
      return result
    },
  }
}

function page(table: RecordTable, query: InspectQuery, nowMs: number): InspectPage {
  const records: InspectedRecord[] = []
  for (const { record, position } of table.newestBefore(positionOf(query))) {
    if (rules.isExpired(record, nowMs) || !isWanted(rules.inspectedState(record, nowMs), query)) continue
    records.push(inspected(record, nowMs))
    if (records.length === query.limit) return { records, cursor: String(position) }
  }
  return { records }
}
