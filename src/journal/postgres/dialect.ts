import type { StepRecord } from '../../core/record.ts'
import type { HeldLease } from '../../core/store.ts'
import { type Connection, type Dialect, type Found, idleMsOf, type TransactionSettings } from '../dialect.ts'
import { encodeText } from '../../stores/encoding/ascii.ts'
import { decodeStepText, encodeStepText } from '../encoding.ts'
import type { Head } from '../head.ts'
import { connectionOf, type Pool } from './connections.ts'
import { isRepeatable, journalError, sqlState } from './errors.ts'
import { prepareSchema, type SchemaSettings } from './schema.ts'
import { type Statements, statementsFor } from './statements.ts'

export interface PostgresSettings extends SchemaSettings {
  readonly lockTimeoutMs: number
}

/** https://www.postgresql.org/docs/current/errcodes-appendix.html: there is no transaction. */
const noActiveTransaction = '25P01'

/** Beyond what a timestamp of Postgres can hold, when added to today. */
const longestKeepMs = 1_000 * 365 * 24 * 3_600_000

export class PostgresDialect implements Dialect {
  readonly name = 'postgres'
  readonly #pool: Pool
  readonly #settings: PostgresSettings
  readonly #sql: Statements

  constructor(pool: Pool, settings: PostgresSettings) {
    this.#pool = pool
    this.#settings = settings
    this.#sql = statementsFor(settings.schema)
  }

  async prepare(): Promise<void> {
    await prepareSchema(this.#pool, this.#settings)
  }

  async begin(lease: HeldLease, keepMs: number): Promise<boolean> {
    const rows = await this.#ask(this.#sql.begin, this.#headValues(lease, keepMs))
    return rows.length > 0
  }

  async enter(lease: HeldLease, keepMs: number): Promise<void> {
    await this.#ask(this.#sql.enter, this.#headValues(lease, keepMs))
  }

  #headValues(lease: HeldLease, keepMs: number): string[] {
    return [
      encodeText(lease.id),
      String(lease.token),
      lease.fingerprint,
      String(Math.min(keepMs, longestKeepMs)),
      String(this.#settings.lockTimeoutMs),
    ]
  }

  async read(id: string): Promise<Found | undefined> {
    const rows = await this.#ask(this.#sql.read, [encodeText(id)])
    const head = headIn(rows[0])
    if (head === undefined) return undefined
    const steps = rows.flatMap(([, , , step]) => (step === null ? [] : [decodeStepText(step)]))
    return { head, steps }
  }

  async putStep(lease: HeldLease, step: StepRecord): Promise<boolean> {
    const lockTimeout = String(this.#settings.lockTimeoutMs)
    const rows = await this.#ask(this.#sql.putStep, [...stepValues(lease, step), lockTimeout])
    return rows.length > 0
  }

  async addStep(transaction: Connection, lease: HeldLease, step: StepRecord): Promise<boolean> {
    const idleTimeout = String(idleMsOf(lease))
    const { rows } = await transaction.query(this.#sql.addStep, [...stepValues(lease, step), idleTimeout])
    return rows.length > 0
  }

  async transaction<T>(
    { idleMs, isOwn }: TransactionSettings,
    work: (transaction: Connection, native: unknown) => Promise<T>,
  ): Promise<T> {
    const settings = [
      ...(idleMs === undefined
        ? []
        : [`SET LOCAL idle_in_transaction_session_timeout = ${Math.ceil(idleMs)}`]),
      ...(isOwn ? [`SET LOCAL lock_timeout = ${Math.ceil(this.#settings.lockTimeoutMs)}`] : []),
    ]
    // What the journal does by itself must see in one statement what was committed before it, wherever it waited.
    const isolation = isOwn ? 'ISOLATION LEVEL READ COMMITTED' : ''
    const results: T[] = []
    await this.#pool.transaction(isolation, settings, async (transaction, native) => {
      results.push(await work(transaction, native))
    })
    // `transaction` resolves only after `work` did.
    return results[0] as T
  }

  async lockHead(
    transaction: Connection,
    id: string,
    strength: 'share' | 'alone',
  ): Promise<Head | undefined> {
    const text = strength === 'share' ? this.#sql.shareHead : this.#sql.lockHead
    const { rows } = await transaction.query(text, [encodeText(id)])
    return headIn(rows[0])
  }

  async tokenOf(transaction: Connection, id: string, name: string): Promise<number | undefined> {
    const { rows } = await transaction.query(this.#sql.tokenOf, [encodeText(id), encodeText(name)])
    const [token] = rows[0] ?? []
    return token === undefined ? undefined : Number(token)
  }

  async deleteStep(transaction: Connection, id: string, name: string): Promise<void> {
    await transaction.query(this.#sql.deleteStep, [encodeText(id), encodeText(name)])
  }

  async renewHead(transaction: Connection, lease: HeldLease, keepMs: number): Promise<void> {
    await transaction.query(this.#sql.deleteSteps, [encodeText(lease.id)])
    const keep = String(Math.min(keepMs, longestKeepMs))
    await transaction.query(this.#sql.renewHead, [
      encodeText(lease.id),
      String(lease.token),
      lease.fingerprint,
      keep,
    ])
  }

  async deleteOver(transaction: Connection, limit: number): Promise<number> {
    const { rows } = await transaction.query(this.#sql.lockOver, [String(limit)])
    if (rows.length === 0) return 0
    const ids = JSON.stringify(rows.map(([id]) => id))
    // Later statements than the one that locked: they see each step that was committed before it.
    await transaction.query(this.#sql.deleteStepsOf, [ids])
    await transaction.query(this.#sql.deleteHeads, [ids])
    return rows.length
  }

  connectionOf(within: unknown): Connection | undefined {
    return connectionOf(within)
  }

  async mark(transaction: Connection, savepoint: string): Promise<boolean> {
    try {
      await transaction.query(`SAVEPOINT ${savepoint}`)
      return true
    } catch (error) {
      if (sqlState(error) === noActiveTransaction) return false
      throw error
    }
  }

  async returnTo(transaction: Connection, savepoint: string): Promise<void> {
    await transaction.query(`ROLLBACK TO SAVEPOINT ${savepoint}`)
  }

  /** One statement in a transaction of its own. */
  async #ask(text: string, values: readonly string[], tries = 10): Promise<readonly (readonly unknown[])[]> {
    try {
      return (await this.#pool.query(text, values)).rows
    } catch (error) {
      // Under a stricter isolation than usual, a statement fails where it would have waited: nothing was done.
      if (isRepeatable(error) && tries > 1) return this.#ask(text, values, tries - 1)
      throw journalError(error)
    }
  }
}

function headIn(row: readonly unknown[] | undefined): Head | undefined {
  if (row === undefined) return undefined
  const [token, fingerprint, isOver] = row
  return { token: Number(token), fingerprint: String(fingerprint), isOver: isOver === 'true' }
}

function stepValues(lease: HeldLease, step: StepRecord): string[] {
  return [encodeText(lease.id), String(lease.token), encodeText(step.name), encodeStepText(step)]
}
