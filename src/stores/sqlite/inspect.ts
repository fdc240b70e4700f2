import { setImmediate as nextTurn } from 'node:timers/promises'
import type { InspectedRecord, Inspection, InspectPage, InspectQuery } from '../../core/store.ts'
import { isExpired, settle } from '../../core/transitions.ts'
import { inspected, isWanted, positionOf } from '../embedded/inspecting.ts'
import { type Fields, integer, isFields, text } from '../encoding/fields.ts'
import type { SqliteDatabase } from './handle.ts'
import { isPast, type Records } from './records.ts'
import { decodeRow, decodeText, headColumnsSql } from './rows.ts'
import { inReadTransaction } from './transaction.ts'

export interface Access {
  /** Runs `work` at once, with errors explained. */
  read<T>(work: () => T): Promise<T>
  write<T>(work: () => T): Promise<T>
}

export function inspectRecords(sql: SqliteDatabase, records: Records, access: Access): Inspection {
  return {
    list: (query) => listPage(sql, records, access, query),
    get: (id) =>
      access.read(() => {
        const found = records.find(id)
        if (found.kind === 'unreadable') return { id, state: 'unreadable', reason: found.reason }
        const { record, nowMs } = found
        return record === undefined || isExpired(record, nowMs) ? undefined : inspected(record, nowMs)
      }),
    forget: (id) =>
      access.write(() => {
        const found = records.find(id)
        records.delete(id)
        if (found.kind === 'unreadable') return true
        return found.record !== undefined && !isExpired(found.record, found.nowMs)
      }),
    settle: (id, resolution) =>
      access.write(() => {
        const found = records.find(id)
        if (found.kind === 'unreadable') return 'unreadable'
        const { result, write } = settle(found.record, resolution, found.nowMs)
        if (write !== undefined) records.save(write)
        return result
      }),
  }
}

/** Rows looked at in one turn of the event loop, rows looked at for one page, and bytes of its bodies. */
const bounds = { rowsAtOnce: 200, rowsPerPage: 5_000, bodyBytes: 16 * 1024 * 1024 }

interface Page {
  readonly found: InspectedRecord[]
  /** Everything above was looked at. */
  position: number
  rowsLeft: number
  bodyBytesLeft: number
  atEnd: boolean
}

// A page may end early, with a cursor: a rare state in a large file must not block the event loop for long.
async function listPage(
  sql: SqliteDatabase,
  records: Records,
  access: Access,
  query: InspectQuery,
  page: Page = newPage(query),
): Promise<InspectPage> {
  await access.read(() => inReadTransaction(sql, () => readOn(sql, records.now(), query, page)))
  if (page.atEnd) return { records: page.found }
  if (isComplete(page, query)) return { records: page.found, cursor: String(page.position) }
  await nextTurn()
  return listPage(sql, records, access, query, page)
}

function newPage(query: InspectQuery): Page {
  return {
    found: [],
    position: positionOf(query),
    rowsLeft: bounds.rowsPerPage,
    bodyBytesLeft: bounds.bodyBytes,
    atEnd: false,
  }
}

function readOn(sql: SqliteDatabase, nowMs: number, query: InspectQuery, page: Page): void {
  const rows = sql.prepare(headsSql).all(page.position, bounds.rowsAtOnce).filter(isFields)
  const bodies = sql.prepare('SELECT body FROM hapax_record WHERE position = ?')
  for (const row of rows) {
    if (isComplete(page, query)) return
    page.position = integer(row, 'position')
    page.rowsLeft -= 1
    const record = readRow(row, nowMs, query, () => bodies.get(page.position))
    if (record === undefined) continue
    page.found.push(record)
    page.bodyBytesLeft -= integer(row, 'body_bytes')
  }
  page.atEnd = rows.length < bounds.rowsAtOnce
}

function isComplete(page: Page, query: InspectQuery): boolean {
  return page.found.length >= query.limit || page.rowsLeft <= 0 || page.bodyBytesLeft <= 0
}

function readRow(
  row: Fields,
  nowMs: number,
  query: InspectQuery,
  loadBody: () => unknown,
): InspectedRecord | undefined {
  if (isPast(row['expires_at_ms'], nowMs)) return undefined
  // Without its body at first: most records of a large file are not asked for.
  const head = describe(row, integer(row, 'body_bytes'), nowMs)
  if (!isWanted(head.state, query)) return undefined
  const body = loadBody()
  return describe(row, isFields(body) ? body['body'] : null, nowMs)
}

function describe(row: Fields, body: unknown, nowMs: number): InspectedRecord {
  const decoded = decodeRow({ ...row, body })
  return decoded.kind === 'record'
    ? inspected(decoded.record, nowMs)
    : { id: idOf(row), state: 'unreadable', reason: decoded.reason }
}

const headsSql = `
  SELECT CAST(r.position AS REAL) AS position, ${headColumnsSql},
    CAST(coalesce(length(r.body), 0) AS REAL) AS body_bytes
  FROM hapax_record r WHERE r.position < ? ORDER BY r.position DESC LIMIT ?`

function idOf(row: Fields): string {
  const stored = text(row, 'id')
  try {
    return decodeText(stored)
  } catch {
    return stored
  }
}
