import type { CompletedRecord, IdempotencyRecord, UnknownRecord } from '../../core/record.ts'
import type { ForwardClock } from '../embedded/forward-clock.ts'
import { type Fields, integer, isFields, number } from '../encoding/fields.ts'
import type { ForeignCommits } from './foreign-commits.ts'
import type { SqliteDatabase } from './handle.ts'
import { requireReader } from './migrate.ts'
import {
  decodeRow,
  encodeEnd,
  encodeRecord,
  encodeText,
  endRunSql,
  headColumnsSql,
  insertSql,
  recordReader,
  upsertSql,
} from './rows.ts'
import { inWriteTransaction } from './transaction.ts'

/** What lies under an id at a time of the store's clock. Expired records are absent but for their token. */
export type Found =
  | { readonly kind: 'readable'; readonly record: IdempotencyRecord | undefined; readonly nowMs: number }
  | { readonly kind: 'unreadable'; readonly reason: string; readonly nowMs: number }

/** How much one turn of the reaper deletes: a claim waits for it. */
const reapedAtOnce = { records: 32, bodyBytes: 4 * 1024 * 1024 }

/** The records in the database. Whatever changes them must run inside `transaction`. */
export class Records {
  readonly #sql: SqliteDatabase
  readonly #clock: ForwardClock
  readonly #statements: ReturnType<typeof prepareStatements>
  readonly #foreign: ForeignCommits
  /** Foreign commits that had been seen when the meta row was read. */
  #metaSeen: number | undefined
  #storedMs = 0
  #changed = new Set<string>()
  #wrote = false
  #inTransaction = false

  constructor(sql: SqliteDatabase, clock: ForwardClock, foreign: ForeignCommits) {
    this.#sql = sql
    this.#clock = clock
    this.#foreign = foreign
    this.#statements = prepareStatements(sql)
  }

  /** Runs `work` in one durable step, and returns the ids that it changed. */
  transaction(work: () => void): ReadonlySet<string> {
    const changed = new Set<string>()
    inWriteTransaction(this.#sql, () => {
      this.#changed = changed
      this.#wrote = false
      this.#learnFromOthers()
      this.#inTransaction = true
      try {
        work()
      } finally {
        this.#inTransaction = false
      }
      // What was given a token or had expired by now must stay so, whatever the clocks do later.
      if (this.#wrote) this.#statements.saveClock.run(this.#clock.now())
    })
    return changed
  }

  find(id: string): Found {
    return this.findAny(id) ?? { kind: 'readable', record: undefined, nowMs: this.now() }
  }

  /** Undefined where there is no row, not even one that expired. */
  findAny(id: string): Found | undefined {
    const row = this.#statements.find(encodeText(id))
    if (row === undefined) return undefined
    const nowMs = this.now()
    const decoded = decodeRow(row)
    if (decoded.kind === 'record') return { kind: 'readable', record: decoded.record, nowMs }
    if (!isPast(row['expires_at_ms'], nowMs)) return { ...decoded, nowMs }
    this.#passToken(row)
    return { kind: 'readable', record: undefined, nowMs: this.#clock.now() }
  }

  /** Outside a transaction: looks for foreign commits, and is to be called after what is judged by the time was read. */
  now(): number {
    if (!this.#inTransaction) this.#learnFromOthers()
    return this.#clock.now(this.#storedMs)
  }

  /** False, and nothing is written: there is a row already, expired or not. */
  insert(record: IdempotencyRecord): boolean {
    return this.#wroteOne(record.id, this.#statements.insert.run(...encodeRecord(record)))
  }

  /** False, and nothing is written: no run without steps holds this token. */
  endRun(record: CompletedRecord | UnknownRecord): boolean {
    return this.#wroteOne(record.id, this.#statements.endRun.run(...encodeEnd(record)))
  }

  save(record: IdempotencyRecord): void {
    this.#statements.save.run(...encodeRecord(record))
    this.#wrote = true
    this.#changed.add(record.id)
  }

  /** Deletes the record, readable or not. */
  delete(id: string): void {
    const row = this.#statements.tokenOf.get(encodeText(id))
    if (!isFields(row)) return
    this.#passToken(row)
    this.#statements.delete.run(encodeText(id))
    this.#wrote = true
    this.#changed.add(id)
  }

  hasExpired(): boolean {
    return this.#statements.expired.get(this.now(), 1) !== undefined
  }

  /** Deletes some records that expired. */
  reap(): void {
    let bodyBytes = 0
    for (const row of this.#statements.expired.all(this.now(), reapedAtOnce.records)) {
      if (!isFields(row) || bodyBytes > reapedAtOnce.bodyBytes) break
      bodyBytes += integer(row, 'body_bytes')
      this.#passToken(row)
      this.#statements.deleteAt.run(integer(row, 'position'))
      this.#wrote = true
    }
  }

  /** A text that differs after any change of the record. */
  stamp(id: string): unknown {
    const row = this.#statements.stamp.get(encodeText(id))
    return isFields(row) ? row['stamp'] : undefined
  }

  #wroteOne(id: string, result: unknown): boolean {
    // Where a driver does not tell, the caller looks, and finds what it would have written.
    if (isFields(result) && Number(result['changes']) === 0) return false
    this.#wrote = true
    this.#changed.add(id)
    return isFields(result) && Number(result['changes']) === 1
  }

  /** Only others make the stored time later than the clock here, or shut this release out. */
  #learnFromOthers(): void {
    if (this.#foreign.look() !== this.#metaSeen) this.#readMeta()
  }

  #readMeta(): void {
    const seen = this.#foreign.seen
    const meta = this.#statements.meta.get()
    if (!isFields(meta)) throw new Error('its table hapax_meta is empty')
    requireReader(integer(meta, 'min_reader'))
    this.#storedMs = number(meta, 'clock_ms')
    this.#metaSeen = seen
    // What that row tells may have been committed after the look.
    this.#foreign.look()
  }

  /** A damaged token is none: it must not keep its row from being deleted. */
  #passToken({ token }: Fields): void {
    if (typeof token === 'number' && Number.isSafeInteger(token)) this.#clock.passToken(token)
  }
}

/** A damaged time is never past: the record stays, to be listed as unreadable. */
export function isPast(expiresAtMs: unknown, nowMs: number): boolean {
  return typeof expiresAtMs === 'number' && expiresAtMs <= nowMs
}

function prepareStatements(sql: SqliteDatabase) {
  return {
    find: recordReader(sql.prepare(`SELECT ${headColumnsSql}, r.body FROM hapax_record r WHERE r.id = ?`)),
    meta: sql.prepare('SELECT clock_ms, CAST(min_reader AS REAL) AS min_reader FROM hapax_meta'),
    insert: sql.prepare(insertSql),
    endRun: sql.prepare(endRunSql),
    save: sql.prepare(upsertSql),
    saveClock: sql.prepare('UPDATE hapax_meta SET clock_ms = max(clock_ms, ?)'),
    tokenOf: sql.prepare('SELECT CAST(token AS REAL) AS token FROM hapax_record WHERE id = ?'),
    delete: sql.prepare('DELETE FROM hapax_record WHERE id = ?'),
    expired: sql.prepare(`
      SELECT CAST(position AS REAL) AS position, CAST(token AS REAL) AS token,
        CAST(coalesce(length(body), 0) AS REAL) AS body_bytes
      FROM hapax_record WHERE expires_at_ms <= ? ORDER BY expires_at_ms LIMIT ?`),
    deleteAt: sql.prepare('DELETE FROM hapax_record WHERE position = ?'),
    stamp: sql.prepare(`
      SELECT state || ' ' || token || ' ' || expires_at_ms AS stamp FROM hapax_record WHERE id = ?`),
  }
}
