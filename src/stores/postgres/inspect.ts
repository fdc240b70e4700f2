import { invalidOption } from '../../core/errors.ts'
import type { InspectedRecord, Inspection, InspectPage, InspectQuery, Resolution } from '../../core/store.ts'
import { settle } from '../../core/transitions.ts'
import { inspected, isWanted } from '../embedded/inspecting.ts'
import type { Row } from './database.ts'
import { decodeText, encodeText } from '../encoding/ascii.ts'
import { encodeBody, encodeResponse, noBytes } from './encoding.ts'
import { bytesIn, fieldsIn, findIn, textIn } from './rows.ts'
import type { Statement, Statements } from './statements.ts'
import type { Writes } from './writes.ts'

/** Runs a statement with the members of its JSON, and perhaps a body. */
export type Run = (statement: Statement, asked: object, body?: Buffer) => Promise<readonly Row[]>

export function inspectPostgres(statements: Statements, run: Run, writes: Writes): Inspection {
  return {
    get: async (id) => {
      const [row] = await run(statements.read, { ids: [encodeText(id)] })
      return row && describe(row, bytesIn(row[2]))
    },
    list: (query) => listPage(statements, run, query),
    forget: async (id) => {
      const rows = await run(statements.forget, { id: encodeText(id) })
      if (rows.length > 0) writes.onChanged(id)
      return rows.length > 0
    },
    settle: (id, resolution) =>
      writes.perform(
        statements.settle,
        { id, asked: settlement(resolution), body: bodyOf(resolution) },
        {
          written: 'settled',
          unreadable: 'unreadable',
          rule: (record, nowMs) => settle(record, resolution, nowMs),
        },
      ),
  }
}

function settlement(resolution: Resolution): object {
  if (resolution.kind === 'release') return { resolution: 'release' }
  return { resolution: 'response', ...encodeResponse(resolution.response) }
}

function bodyOf(resolution: Resolution): Buffer {
  return resolution.kind === 'response' ? encodeBody(resolution.response) : noBytes
}

function describe(row: Row, body: Buffer): InspectedRecord | undefined {
  const nowMs = Number(textIn(row[0]))
  const found = findIn(fieldsIn(row[1]), body, nowMs)
  switch (found.kind) {
    case 'absent':
      return undefined
    case 'unreadable':
      return { id: idOf(row), state: 'unreadable', reason: found.reason }
    case 'record':
      return inspected(found.record, nowMs)
  }
}

/** Rows looked at in one query and for one page, and bytes of the page's bodies. */
const bounds = { rowsAtOnce: 1_000, rowsPerPage: 10_000, bodyBytes: 16 * 1024 * 1024 }

/** In the order of the ids, for which there is an index. A page may end early, with a cursor. */
async function listPage(statements: Statements, run: Run, query: InspectQuery): Promise<InspectPage> {
  if (!Number.isSafeInteger(query.limit) || query.limit < 1) {
    throw invalidOption('limit', 'a whole number above 0', query.limit)
  }
  const records: InspectedRecord[] = []
  let after = positionOf(query)
  let rowsLeft = bounds.rowsPerPage
  let bodyBytesLeft = bounds.bodyBytes
  while (records.length < query.limit && rowsLeft > 0 && bodyBytesLeft > 0) {
    const heads = await run(statements.heads, { id: after, count: bounds.rowsAtOnce })
    const wanted: string[] = []
    for (const row of heads) {
      if (records.length + wanted.length >= query.limit || bodyBytesLeft <= 0) break
      after = storedIdOf(row)
      rowsLeft -= 1
      const head = describe(row, noBytes)
      if (head === undefined || !isWanted(head.state, query)) continue
      bodyBytesLeft -= Number(textIn(row[2]))
      wanted.push(after)
    }
    // They may have changed meanwhile, and are told as they are now.
    records.push(...(await readWanted(statements, run, wanted, query)))
    const isAtEnd = heads.length < bounds.rowsAtOnce && storedIdOf(heads.at(-1)) === after
    if (heads.length === 0 || isAtEnd) return { records }
  }
  return { records, cursor: Buffer.from(after).toString('base64url') }
}

async function readWanted(
  statements: Statements,
  run: Run,
  ids: readonly string[],
  query: InspectQuery,
): Promise<InspectedRecord[]> {
  if (ids.length === 0) return []
  const rows = await run(statements.read, { ids })
  return rows
    .map((row) => describe(row, bytesIn(row[2])))
    .filter((record) => record !== undefined)
    .filter((record) => isWanted(record.state, query))
}

function storedIdOf(row: Row | undefined): string {
  const id = fieldsIn(row?.[1])?.['id']
  if (typeof id === 'string') return id
  throw new Error('Postgres returned a record without an id.')
}

/** Of a damaged one, as it is stored. */
function idOf(row: Row): string {
  const stored = storedIdOf(row)
  try {
    return decodeText(stored)
  } catch {
    return stored
  }
}

/** Every id is above the empty text, which is an id itself. */
function positionOf(query: InspectQuery): string {
  if (query.cursor === undefined) return ''
  const position = Buffer.from(query.cursor, 'base64url').toString()
  if (query.cursor !== '' && Buffer.from(position).toString('base64url') === query.cursor) return position
  throw invalidOption('cursor', 'the cursor of an earlier page', query.cursor)
}
