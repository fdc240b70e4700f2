import { systemClock } from '../../core/clock.ts'
import { ForwardClock } from '../embedded/forward-clock.ts'
import { decodeText, encodeText } from '../encoding/ascii.ts'
import { type Fields, isFields } from '../encoding/fields.ts'
import { keyOf } from '../encoding/key.ts'
import { decodeRecord, encodeRecord } from '../encoding/record.ts'
import {
  type Cell,
  type Cells,
  type Found,
  type Head,
  type HeadPage,
  type Put,
  RecordTooLarge,
} from '../remote/cells.ts'
import type { Sql } from './runtime.ts'

const headsAtOnce = 500

/** The runtime's own limit for a row, less what all but detail and body take. */
const longestBytes = 2_000_000 - 2_000

/** A deleted record's token is lost: so long after its end, a clock that is behind gives out no lower one. */
const keptAfterMs = 3_600_000

/** The records of one object, in its own SQLite. Each statement runs in the turn of its call, alone. */
export class SqlCells implements Cells {
  readonly #sql: Sql
  /** Of the machine on which the object is now. It stands still while a request runs that waits for nothing. */
  readonly #clock = new ForwardClock(systemClock)
  readonly #onChanged: (key: string) => void

  /** `onChanged`: told of what somebody may wait for. */
  constructor(sql: Sql, onChanged: (key: string) => void) {
    this.#sql = sql
    this.#onChanged = onChanged
    // Every later format keeps these columns and what they mean: key, id, revision, format, token, expires_at_ms.
    sql.exec(`CREATE TABLE IF NOT EXISTS hapax_record (
      key TEXT PRIMARY KEY, id TEXT NOT NULL, revision TEXT NOT NULL, format INTEGER NOT NULL, state TEXT NOT NULL,
      token INTEGER NOT NULL, lease_until_ms INTEGER, expires_at_ms INTEGER NOT NULL, detail TEXT NOT NULL, body BLOB)`)
    sql.exec('CREATE INDEX IF NOT EXISTS hapax_record_expiry ON hapax_record (expires_at_ms)')
  }

  async ready(): Promise<void> {}

  now(): number {
    return this.#clock.now()
  }

  async read(id: string): Promise<Found> {
    const [row] = this.#sql.exec('SELECT * FROM hapax_record WHERE key = ?', keyOf(id)).toArray()
    return { nowMs: this.now(), ...(isFields(row) && { cell: cellIn(row) }) }
  }

  async put(put: Put): Promise<Found | undefined> {
    const { id } = put.record
    if (!this.#replace(put)) return this.read(id)
    this.#onChanged(keyOf(id))
    return undefined
  }

  async extend(puts: readonly Put[]): Promise<readonly boolean[]> {
    return puts.map((put) => this.#replace(put))
  }

  async stamps(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const stamps = new Map<string, string>()
    for (const id of ids) {
      const [row] = this.#sql
        .exec('SELECT state, token, format FROM hapax_record WHERE key = ?', keyOf(id))
        .toArray()
      if (isFields(row)) stamps.set(id, [row['state'], row['token'], row['format']].join(' '))
    }
    return stamps
  }

  async heads(after = ''): Promise<HeadPage> {
    const query = 'SELECT key, id, state FROM hapax_record WHERE key > ? ORDER BY key LIMIT ?'
    const heads = this.#sql.exec(query, after, headsAtOnce).toArray().filter(isFields).map(headIn)
    const last = heads.length < headsAtOnce ? undefined : heads.at(-1)
    return { heads, ...(last && { next: last.position }) }
  }

  /** No operation holds a record for longer than it runs. */
  isHeld(): boolean {
    return false
  }

  /** Deletes some records that ended long ago. Returns when to come again, if ever. */
  reap(atMost: number): number | undefined {
    this.#sql.exec(
      'DELETE FROM hapax_record WHERE key IN (SELECT key FROM hapax_record WHERE expires_at_ms <= ? LIMIT ?)',
      this.now() - keptAfterMs,
      atMost,
    )
    const [next] = this.#sql.exec('SELECT min(expires_at_ms) AS expires_at_ms FROM hapax_record').toArray()
    const expiresAtMs = isFields(next) ? next['expires_at_ms'] : null
    return typeof expiresAtMs === 'number' ? expiresAtMs + keptAfterMs : undefined
  }

  #replace({ expected, record, revision }: Put): boolean {
    const { id, format, state, token, leaseUntilMs, expiresAtMs, detail, body } = encodeRecord(record)
    const bytes = detail.length + (body?.byteLength ?? 0)
    if (bytes > longestBytes) {
      throw new RecordTooLarge(
        `A record of ${bytes} bytes is more than the 2 MB that a Durable Object keeps in a row: keep less in steps and headers.`,
      )
    }
    const values = [revision, format, state, token, leaseUntilMs, expiresAtMs, detail, body] as const
    const written =
      expected === undefined
        ? this.#sql.exec(insert, keyOf(id), encodeText(id), ...values)
        : this.#sql.exec(
            update,
            ...values,
            keyOf(id),
            expected.revision,
            expected.format,
            expected.state,
            expected.token,
          )
    return written.toArray().length === 1
  }
}

const insert = `INSERT INTO hapax_record
  (key, id, revision, format, state, token, lease_until_ms, expires_at_ms, detail, body)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO NOTHING RETURNING 1`

const update = `UPDATE hapax_record SET
  revision = ?, format = ?, state = ?, token = ?, lease_until_ms = ?, expires_at_ms = ?, detail = ?, body = ?
  WHERE key = ? AND revision = ? AND format = ? AND state = ? AND token = ? RETURNING 1`

function cellIn(row: Fields): Cell {
  const { revision, format, state, token, expires_at_ms: expiresAtMs, lease_until_ms: leaseUntilMs } = row
  const standing = {
    revision: String(revision),
    format: Number(format),
    state: String(state),
    token: Number(token),
  }
  const decoded = decodeRecord({ ...row, expiresAtMs, leaseUntilMs })
  return decoded.kind === 'record'
    ? { ...decoded, standing }
    : { ...decoded, standing, expiresAtMs: typeof expiresAtMs === 'number' ? expiresAtMs : Infinity }
}

function headIn({ key, id, state }: Fields): Head {
  return { position: String(key), id: decodeText(String(id)), state: String(state) }
}
