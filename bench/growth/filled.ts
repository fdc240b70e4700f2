import { createHash } from 'node:crypto'
import type { ClaimRequest, HeldLease, Outcome, Store } from '../../src/core/store.ts'

/** A store that holds so many records already, all completed and none about to expire. */
export interface Filled {
  readonly name: string
  readonly records: number
  readonly store: Store
  /** What the store's files or memory take for the records that {@link fill} made. */
  readonly bytesPerRecord: number
  /** What the server has sent, received or logged so far, in bytes. */
  readonly meter: Meter | undefined
  /** As much written and read by the plainest commands there are: what growth costs the database itself. */
  readonly bare: Bare
  /** Bytes of the log for each record that is deleted when its time is over, where the store has to do that itself. */
  readonly deletionBytes?: (records: number) => Promise<number>
  close(): Promise<void>
}

export interface Meter {
  readonly counts: 'network' | 'write-ahead log'
  read(): Promise<number>
}

export interface Bare {
  /** Writes a new key, and then writes it again, as claim and completion do. */
  first(id: string): Promise<void>
  read(id: string): Promise<void>
}

/** What the body of a small JSON API is like. */
const body = new TextEncoder().encode(JSON.stringify({ id: 'ord_1', status: 'paid', note: 'x'.repeat(180) }))
const dayMs = 86_400_000
const fingerprint = `b1:${createHash('sha256').update('a request').digest('base64url')}`

/** As the SQL of Postgres says it too; as long as a real id, and in no order. */
export function filledId(index: number): string {
  return md5(`${index}`) + md5(`-${index}`).slice(0, 11)
}

function requestFor(id: string): ClaimRequest {
  return {
    id,
    owner: id.slice(0, 22),
    fingerprint,
    policy: { recovery: 'refuse', retainMs: dayMs, retainUnknownMs: 30 * dayMs },
    leaseMs: 30_000,
    label: { key: '8e03978e-40d5-43dd-bc93-6894a57f9324', scope: 'user 1234' },
  }
}

const outcome: Outcome = {
  kind: 'response',
  failed: false,
  response: {
    kind: 'kept',
    status: 201,
    headers: [['content-type', 'application/json; charset=utf-8']],
    body,
  },
}

/** A first request: claim and completion. */
export async function firstRequest(store: Store, id: string): Promise<void> {
  const request = requestFor(id)
  const result = await store.claim(request)
  if (result.kind !== 'claimed') throw new Error(`${id} was not new, but ${result.kind}.`)
  const lease: HeldLease = { ...request, token: result.token, attempt: result.attempt, takeover: false }
  await store.complete(lease, outcome)
}

export async function replay(store: Store, id: string): Promise<void> {
  const result = await store.claim(requestFor(id))
  if (result.kind !== 'completed') throw new Error(`${id} was not completed, but ${result.kind}.`)
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex')
}
