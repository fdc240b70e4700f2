import type { StepRecord } from '../../core/record.ts'
import type { HeldLease } from '../../core/store.ts'
import type { SqliteDatabase, SqliteValue } from '../../stores/sqlite/handle.ts'
import { integer, isFields, number, text } from '../../stores/encoding/fields.ts'
import { encodeText } from '../../stores/encoding/ascii.ts'
import { decodeStepText, encodeStepText } from '../encoding.ts'
import type { Head } from '../head.ts'

/** The journal in a database. Whatever changes it must run in a write transaction. */
export class JournalTables {
  readonly #sql: SqliteDatabase

  constructor(sql: SqliteDatabase) {
    this.#sql = sql
  }

  head(id: string): Head | undefined {
    const row = this.#sql
      .prepare('SELECT token, fingerprint, keep_until_ms FROM hapax_journal WHERE id = ?')
      .get(encodeText(id))
    if (!isFields(row)) return undefined
    const isOver = number(row, 'keep_until_ms') < Date.now()
    return { token: integer(row, 'token'), fingerprint: text(row, 'fingerprint'), isOver }
  }

  /** In the order in which they began. */
  steps(id: string): StepRecord[] {
    const rows = this.#sql
      .prepare('SELECT step FROM hapax_step WHERE id = ? ORDER BY position')
      .all(encodeText(id))
    return rows.filter(isFields).map((row) => decodeStepText(row['step']))
  }

  enter(lease: HeldLease, keepMs: number): void {
    this.#run('UPDATE hapax_journal SET token = ?, keep_until_ms = max(keep_until_ms, ?) WHERE id = ?', [
      lease.token,
      Date.now() + keepMs,
      encodeText(lease.id),
    ])
  }

  /** Begins anew, without the steps of whatever was there. */
  renewHead(lease: HeldLease, keepMs: number): void {
    const id = encodeText(lease.id)
    this.#run('DELETE FROM hapax_step WHERE id = ?', [id])
    this.#run(
      'INSERT OR REPLACE INTO hapax_journal (id, token, fingerprint, keep_until_ms) VALUES (?, ?, ?, ?)',
      [id, lease.token, lease.fingerprint, Date.now() + keepMs],
    )
  }

  putStep(lease: HeldLease, step: StepRecord): void {
    this.#run(
      `INSERT INTO hapax_step (id, name, token, step) VALUES (?, ?, ?, ?)
       ON CONFLICT (id, name) DO UPDATE SET token = excluded.token, step = excluded.step`,
      [encodeText(lease.id), encodeText(step.name), lease.token, encodeStepText(step)],
    )
  }

  deleteStep(id: string, name: string): void {
    this.#run('DELETE FROM hapax_step WHERE id = ? AND name = ?', [encodeText(id), encodeText(name)])
  }

  /** Deletes heads that are over, with their steps. */
  deleteOver(limit: number): number {
    const rows = this.#sql
      .prepare('SELECT id FROM hapax_journal WHERE keep_until_ms < ? ORDER BY keep_until_ms LIMIT ?')
      .all(Date.now(), limit)
    const ids = rows.filter(isFields).map((row) => text(row, 'id'))
    for (const id of ids) {
      this.#run('DELETE FROM hapax_step WHERE id = ?', [id])
      this.#run('DELETE FROM hapax_journal WHERE id = ?', [id])
    }
    return ids.length
  }

  #run(sql: string, values: readonly SqliteValue[]): void {
    this.#sql.prepare(sql).run(...values)
  }
}
