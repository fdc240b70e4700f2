import { invalidOption } from '../../core/errors.ts'
import type { IdempotencyRecord } from '../../core/record.ts'
import type {
  InspectedRecord,
  Inspection,
  InspectPage,
  InspectQuery,
  InspectState,
} from '../../core/store.ts'
import { isExpired, settle } from '../../core/transitions.ts'
import { inspected, isWanted } from '../embedded/inspecting.ts'
import type { Cell, Cells, Found, Head, UnreadableCell } from './cells.ts'
import type { Swapping } from './swapping.ts'

export function inspectCells(cells: Cells, swapping: Swapping, assertOpen: () => void): Inspection {
  return {
    async list(query) {
      assertOpen()
      return listPage(cells, query)
    },
    async get(id) {
      assertOpen()
      return describe(id, await cells.read(id))
    },
    async forget(id) {
      assertOpen()
      return forget(cells, id, swapping)
    },
    async settle(id, resolution) {
      assertOpen()
      return swapping.apply(
        id,
        { rule: (record, nowMs) => settle(record, resolution, nowMs), unreadable: () => 'unreadable' },
        'read',
      )
    },
  }
}

/** What is left has expired, and keeps the token until it is deleted: the next one must be above it. */
async function forget(cells: Cells, id: string, swapping: Swapping): Promise<boolean> {
  const found = await cells.read(id)
  if (found.cell === undefined || isPast(found.cell, found.nowMs)) return false
  const { cell } = found
  const token = cell.kind === 'record' ? cell.record.token : tokenOf(cell, found.nowMs)
  const stands = await swapping.replace(found, remains(id, token, found.nowMs))
  return stands || forget(cells, id, swapping)
}

function remains(id: string, token: number, nowMs: number): IdempotencyRecord {
  return {
    id,
    state: 'released',
    owner: '',
    token,
    attempt: 0,
    policy: { recovery: 'refuse', retainMs: 0, retainUnknownMs: 0 },
    fingerprint: null,
    expiresAtMs: nowMs,
  }
}

function tokenOf({ standing: { token } }: UnreadableCell, nowMs: number): number {
  return Number.isSafeInteger(token) && token > 0 ? token : nowMs * 1000
}

function describe(id: string, { cell, nowMs }: Found): InspectedRecord | undefined {
  if (cell === undefined || isPast(cell, nowMs)) return undefined
  return cell.kind === 'record'
    ? inspected(cell.record, nowMs)
    : { id, state: 'unreadable', reason: cell.reason }
}

function isPast(cell: Cell, nowMs: number): boolean {
  return cell.kind === 'record' ? isExpired(cell.record, nowMs) : cell.expiresAtMs <= nowMs
}

/** Records read at once, and looked at for one page, which may end early with a cursor. */
export const bounds = { readAtOnce: 8, headsPerPage: 5_000, bodyBytes: 16 * 1024 * 1024 }

async function listPage(cells: Cells, query: InspectQuery): Promise<InspectPage> {
  if (!Number.isSafeInteger(query.limit) || query.limit < 1) {
    throw invalidOption('limit', 'a whole number above 0', query.limit)
  }
  const records: InspectedRecord[] = []
  let after = positionOf(query)
  let headsLeft = bounds.headsPerPage
  let bytesLeft = bounds.bodyBytes
  while (headsLeft > 0 && bytesLeft > 0) {
    const { heads, next } = await cells.heads(after)
    headsLeft -= heads.length
    for (let start = 0; start < heads.length; start += bounds.readAtOnce) {
      const some = heads.slice(start, start + bounds.readAtOnce)
      for (const [position, record] of await readWanted(cells, some, query)) {
        if (records.length >= query.limit || bytesLeft <= 0) return { records, cursor: cursorOf(after) }
        after = position
        if (record === undefined) continue
        records.push(record)
        bytesLeft -= bodyBytes(record)
      }
    }
    if (next === undefined) return { records }
    after = next
    if (records.length >= query.limit) break
  }
  return { records, cursor: cursorOf(after) }
}

async function readWanted(
  cells: Cells,
  heads: readonly Head[],
  query: InspectQuery,
): Promise<(readonly [string, InspectedRecord | undefined])[]> {
  return Promise.all(
    heads.map(async ({ position, id, state }) => {
      if (!mayBeWanted(state, query)) return [position, undefined] as const
      // It may have changed meanwhile, and is told as it is now.
      const record = describe(id, await cells.read(id))
      return [position, record && isWanted(record.state, query) ? record : undefined] as const
    }),
  )
}

/** Whether a record can be read, only reading it shows. */
function mayBeWanted(state: string, { states }: InspectQuery): boolean {
  if (states === undefined || states.includes('unreadable')) return true
  const asked: readonly string[] = states.map((each: InspectState) => (each === 'lapsed' ? 'running' : each))
  return asked.includes(state)
}

/** What a page is bounded by. */
export function bodyBytes(inspectedRecord: InspectedRecord): number {
  if (inspectedRecord.state === 'unreadable') return 0
  const { record } = inspectedRecord
  return record.state === 'completed' && record.response.kind === 'kept' ? record.response.body.byteLength : 0
}

function cursorOf(position: string | undefined): string {
  return Buffer.from(position ?? '').toString('base64url')
}

function positionOf({ cursor }: InspectQuery): string | undefined {
  if (cursor === undefined) return undefined
  const position = Buffer.from(cursor, 'base64url').toString()
  if (/^[\da-f]{64}$/.test(position)) return position
  throw invalidOption('cursor', 'the cursor of an earlier page', cursor)
}
