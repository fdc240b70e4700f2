import type { InspectedRecord, Inspection, InspectState } from '../../core/store.ts'
import { recordId } from '../../protocol/identity.ts'
import { CommandFailure } from '../failure.ts'
import { summaryOf } from './summary.ts'

/** `failed` is a completed record whose answer is a failure that was kept: it needs attention. */
export const stateNames = [
  'running',
  'lapsed',
  'released',
  'completed',
  'failed',
  'unknown',
  'unreadable',
] as const
export type StateName = (typeof stateNames)[number]

export interface KeyFilter {
  readonly state?: readonly StateName[]
  readonly scope?: string
  readonly key?: string
  readonly olderThan?: number
}

export interface KeyName {
  readonly scope?: string
  readonly shared?: boolean
}

const pageSize = 200

/** Every record that the filter lets pass. Pages are asked for as they are needed. */
export async function* search(inspect: Inspection, filter: KeyFilter = {}): AsyncGenerator<InspectedRecord> {
  const states = filter.state && [...new Set(filter.state.map(storedState))]
  let cursor: string | undefined
  do {
    const page = await inspect.list({ limit: pageSize, ...(states && { states }), ...(cursor && { cursor }) })
    for (const record of page.records) if (passes(record, filter)) yield record
    cursor = page.cursor
  } while (cursor !== undefined)
}

/** @throws CommandFailure where there is no such key. */
export async function find(inspect: Inspection, key: string, name: KeyName): Promise<InspectedRecord> {
  const id = idOf(key, name)
  const found = await inspect.get(id)
  if (found === undefined) {
    throw new CommandFailure(
      `There is no record of ${key}${name.scope === undefined ? '' : ` in ${name.scope}`}.`,
    )
  }
  return found
}

function idOf(key: string, { scope, shared }: KeyName): string {
  if (shared === true) return recordId(false, key)
  if (scope !== undefined) return recordId(scope, key)
  if (/^[\w-]{43}$/.test(key)) return key
  throw new CommandFailure(
    `${JSON.stringify(key)} is no record's id. Say whose key it is with --scope, or --shared where all callers share one key space.`,
  )
}

function storedState(state: StateName): InspectState {
  return state === 'failed' ? 'completed' : state
}

function passes(found: InspectedRecord, { state, scope, key, olderThan }: KeyFilter): boolean {
  const summary = summaryOf(found, Date.now())
  if (state !== undefined && !state.includes(summary.state)) return false
  if (scope !== undefined && summary.scope !== scope) return false
  if (key !== undefined && summary.key?.includes(key) !== true) return false
  return olderThan === undefined || (summary.ageMs !== undefined && summary.ageMs >= olderThan)
}
