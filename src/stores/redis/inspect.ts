import { invalidOption } from '../../core/errors.ts'
import type {
  InspectedRecord,
  Inspection,
  InspectPage,
  InspectQuery,
  Resolution,
  SettleResult,
} from '../../core/store.ts'
import { inspectedState, isExpired } from '../../core/transitions.ts'
import type { Connection, MasterNode } from './connection.ts'
import { bodyOf, encodeEnvelope, noBytes } from './encoding.ts'
import type { Keys } from './keys.ts'
import { decodeRecord } from './record.ts'
import { bytesIn, listIn, numberIn, textIn } from './replies.ts'
import type { Scripting } from './scripting.ts'
import * as scripts from './scripts.ts'

export interface Inspecting {
  readonly connection: Connection
  readonly scripting: Scripting
  readonly keys: Keys
  /** Throws when the store was closed. */
  assertOpen(): void
}

/** No index is kept: listing walks through all keys of the server, off the hot path and in small steps. */
export function inspectRedis(inspecting: Inspecting): Inspection {
  const { scripting, keys, assertOpen } = inspecting
  return {
    list: async (query) => {
      assertOpen()
      return listPage(inspecting, query)
    },
    get: async (id) => {
      assertOpen()
      return scripting.run({
        script: scripts.read,
        key: keys.keyOf(id),
        args: [],
        read: (reply) => inspected(id, reply),
      })
    },
    forget: async (id) => {
      assertOpen()
      return scripting.run({ script: scripts.forget, key: keys.keyOf(id), args: [], read: didForget })
    },
    settle: async (id, resolution) => {
      assertOpen()
      return scripting.run({
        script: scripts.settle,
        key: keys.keyOf(id),
        args: settleArguments(resolution),
        read: (reply) => settleResult(textIn(reply)),
      })
    },
  }
}

function didForget(reply: unknown): boolean {
  return numberIn(reply) === 1
}

function inspected(id: string, reply: unknown): InspectedRecord | undefined {
  const [now, stored] = listIn(reply)
  if (stored === undefined || stored === null) return undefined
  const nowMs = numberIn(now)
  const decoded = decodeRecord(id, bytesIn(stored))
  if (decoded.kind === 'unreadable') return { id, state: 'unreadable', reason: decoded.reason }
  const { record } = decoded
  return isExpired(record, nowMs) ? undefined : { id, state: inspectedState(record, nowMs), record }
}

function settleArguments(resolution: Resolution): Array<string | Buffer> {
  if (resolution.kind === 'release') return ['release', '', noBytes]
  return ['response', encodeEnvelope(resolution.response), bodyOf(resolution.response)]
}

function settleResult(word: string): SettleResult {
  switch (word) {
    case 'settled':
    case 'absent':
    case 'running':
    case 'completed':
    case 'unreadable':
      return word
    default:
      throw new Error('The settle script returned a word that is not known.')
  }
}

/** Keys asked of one SCAN, and SCANs for one page: a page may end early, with a cursor. */
const bounds = { keysPerScan: 200, scansPerPage: 50 }

/** Where the next page goes on: keys that a SCAN returned and no page had room for, then that SCAN's cursor. */
interface Position {
  readonly left: readonly string[]
  readonly node: string
  /** Undefined: this node is done. */
  readonly cursor: string | undefined
}

async function listPage(inspecting: Inspecting, query: InspectQuery): Promise<InspectPage> {
  if (!Number.isSafeInteger(query.limit) || query.limit < 1) {
    throw invalidOption('limit', 'a whole number above 0', query.limit)
  }
  if (query.states?.length === 0) return { records: [] }
  const nodes = await inspecting.connection.masters()
  const records: InspectedRecord[] = []
  let position = positionIn(query)
  for (let scans = 0; scans < bounds.scansPerPage && records.length < query.limit; ) {
    if (position.left.length > 0) {
      const wanted = position.left.slice(0, query.limit - records.length)
      records.push(...(await readWanted(inspecting, wanted, query)))
      position = { ...position, left: position.left.slice(wanted.length) }
      continue
    }
    const next = nextScan(nodes, position)
    if (next === undefined) return { records }
    position = await scan(inspecting.keys, next.node, next.cursor)
    scans += 1
  }
  if (position.left.length === 0 && nextScan(nodes, position) === undefined) return { records }
  return { records, cursor: Buffer.from(JSON.stringify(position)).toString('base64url') }
}

function nextScan(
  nodes: readonly MasterNode[],
  position: Position,
): { readonly node: MasterNode; readonly cursor: string } | undefined {
  const { cursor } = position
  if (cursor !== undefined && cursor !== '0') {
    const same = nodes.find(({ id }) => id === position.node)
    if (same !== undefined) return { node: same, cursor }
  }
  const following = nodes.find(({ id }) => id > position.node)
  return following && { node: following, cursor: '0' }
}

async function scan(keys: Keys, node: MasterNode, cursor: string): Promise<Position> {
  const count = String(bounds.keysPerScan)
  const reply = listIn(await node.send(['SCAN', cursor, 'MATCH', keys.pattern, 'COUNT', count]))
  const next = textIn(reply[0])
  return {
    left: listIn(reply[1]).map((key) => keys.idOf(textIn(key))),
    node: node.id,
    cursor: next === '0' ? undefined : next,
  }
}

async function readWanted(
  { scripting, keys }: Inspecting,
  ids: readonly string[],
  query: InspectQuery,
): Promise<InspectedRecord[]> {
  const calls = ids.map((id) => ({ key: keys.keyOf(id), args: [] }))
  const replies = await scripting.runAll(scripts.read, calls)
  const found: InspectedRecord[] = []
  for (const [index, reply] of replies.entries()) {
    if (reply.status === 'rejected') throw reply.reason
    const item = inspected(ids[index] ?? '', reply.value)
    if (item !== undefined && (query.states === undefined || query.states.includes(item.state)))
      found.push(item)
  }
  return found
}

function positionIn(query: InspectQuery): Position {
  if (query.cursor === undefined) return { left: [], node: '', cursor: undefined }
  try {
    const position: unknown = JSON.parse(Buffer.from(query.cursor, 'base64url').toString())
    if (isPosition(position)) return position
  } catch {
    // Refused below.
  }
  throw invalidOption('cursor', 'the cursor of an earlier page', query.cursor)
}

function isPosition(value: unknown): value is Position {
  if (typeof value !== 'object' || value === null) return false
  if (!('left' in value) || !Array.isArray(value.left) || !('node' in value)) return false
  const cursorIsText = !('cursor' in value) || typeof value.cursor === 'string'
  return cursorIsText && typeof value.node === 'string' && value.left.every((id) => typeof id === 'string')
}
