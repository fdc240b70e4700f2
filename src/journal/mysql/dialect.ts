import type { StepRecord } from '../../core/record.ts'
import type { HeldLease } from '../../core/store.ts'
import type { Connection, Dialect, Found, Reply, TransactionSettings } from '../dialect.ts'
import { encodeText } from '../../stores/encoding/ascii.ts'
import { decodeStepText, encodeStepText } from '../encoding.ts'
import type { Head } from '../head.ts'
import type { MysqlPool } from './clients.ts'
import { connectionOf, connectionTo, outcomeOf, withConnection } from './connections.ts'
import { errorNumber, isDeadlock, journalError } from './errors.ts'
import { isMariaDb, prepareSchema } from './schema.ts'
import * as sql from './statements.ts'

export interface MysqlSettings {
  readonly migrate: boolean
  readonly lockTimeoutMs: number
}

/** Flags of the protocol: https://dev.mysql.com/doc/dev/mysql-server/latest/mysql__com_8h.html */
const inTransaction = 1
const autocommit = 2
/** There is no such savepoint, since what set it was a transaction of its own. */
const noSavepoint = 1305
const duplicate = 1062

/** Beyond what a DATETIME can hold, when added to today. */
const longestKeepSeconds = 1_000 * 365 * 24 * 3_600

export class MysqlDialect implements Dialect {
  readonly name = 'mysql'
  readonly #pool: MysqlPool
  readonly #settings: MysqlSettings
  #isMariaDb = false

  constructor(pool: MysqlPool, settings: MysqlSettings) {
    this.#pool = pool
    this.#settings = settings
  }

  async prepare(): Promise<void> {
    try {
      this.#isMariaDb = await isMariaDb(connectionTo(this.#pool))
      await withConnection(this.#pool, (connection) =>
        outcomeOf(() => prepareSchema(connection, this.#settings)),
      )
    } catch (error) {
      throw journalError(error)
    }
  }

  async begin(lease: HeldLease, keepMs: number): Promise<boolean> {
    try {
      await this.#ask(sql.beginSql, headValues(lease, keepMs))
      return true
    } catch (error) {
      if (errorNumber(error) === duplicate) return false
      throw error
    }
  }

  async enter(lease: HeldLease, keepMs: number): Promise<void> {
    const digests = lease.fingerprint.split(' ')
    const fits = [String(lease.token), ...digests]
    await this.#ask(sql.enterSql(digests.length), [...headValues(lease, keepMs), ...fits, ...fits])
  }

  async read(id: string): Promise<Found | undefined> {
    const { rows } = await this.#ask(sql.readSql, [encodeText(id)])
    const head = headIn(rows[0])
    if (head === undefined) return undefined
    const steps = rows.flatMap(([, , , step]) => (step === null ? [] : [decodeStepText(step)]))
    return { head, steps }
  }

  async putStep(lease: HeldLease, step: StepRecord): Promise<boolean> {
    const { affectedRows = 0 } = await this.#ask(sql.putStepSql, stepValues(lease, step))
    if (affectedRows > 0) return true
    // It is stale, or there was nothing to change.
    const found = await this.read(lease.id)
    return found?.head.token === lease.token
  }

  async addStep(transaction: Connection, lease: HeldLease, step: StepRecord): Promise<boolean> {
    const { affectedRows = 0 } = await transaction.query(sql.addStepSql, stepValues(lease, step))
    return affectedRows > 0
  }

  async transaction<T>(
    { idleMs, isOwn }: TransactionSettings,
    work: (transaction: Connection, native: unknown) => Promise<T>,
  ): Promise<T> {
    return withConnection(this.#pool, async (connection, native) => {
      const restore = await changeSettings(connection, {
        // The server ends a connection that is silent for longer, and with it the transaction.
        ...(idleMs !== undefined && { wait_timeout: seconds(idleMs) }),
        ...(isOwn && { innodb_lock_wait_timeout: this.#lockTimeoutSeconds }),
      })
      // For the journal's own work: other isolations lock what lies between rows, and so the openings of other keys.
      if (isOwn) await connection.query('SET TRANSACTION ISOLATION LEVEL READ COMMITTED')
      await connection.query('START TRANSACTION')
      const outcome = await outcomeOf(() => work(connection, native))
      try {
        await connection.query(outcome.kind === 'failed' ? 'ROLLBACK' : 'COMMIT')
        await restore()
      } catch (error) {
        throw outcome.kind === 'failed' ? outcome.error : error
      }
      return outcome
    })
  }

  async lockHead(
    transaction: Connection,
    id: string,
    strength: 'share' | 'alone',
  ): Promise<Head | undefined> {
    const text = strength === 'share' ? sql.shareHeadSql : sql.lockHeadSql
    const { rows } = await transaction.query(text, [encodeText(id)])
    return headIn(rows[0])
  }

  async tokenOf(transaction: Connection, id: string, name: string): Promise<number | undefined> {
    const { rows } = await transaction.query(sql.tokenOfSql, [encodeText(id), encodeText(name)])
    const [token] = rows[0] ?? []
    return token === undefined ? undefined : Number(token)
  }

  async deleteStep(transaction: Connection, id: string, name: string): Promise<void> {
    await transaction.query(sql.deleteStepSql, [encodeText(id), encodeText(name)])
  }

  async renewHead(transaction: Connection, lease: HeldLease, keepMs: number): Promise<void> {
    await transaction.query(sql.deleteStepsOfSql(1), [encodeText(lease.id)])
    const values = [String(lease.token), lease.fingerprint, keepSeconds(keepMs), encodeText(lease.id)]
    await transaction.query(sql.renewHeadSql, values)
  }

  async deleteOver(transaction: Connection, limit: number): Promise<number> {
    const { rows } = await transaction.query(sql.lockOverSql(limit))
    const ids = rows.map(([id]) => String(id))
    if (ids.length === 0) return 0
    await transaction.query(sql.deleteStepsOfSql(ids.length), ids)
    await transaction.query(sql.deleteHeadsSql(ids.length), ids)
    return ids.length
  }

  connectionOf(within: unknown): Connection | undefined {
    return connectionOf(within)
  }

  async mark(transaction: Connection, savepoint: string): Promise<boolean> {
    const { serverStatus } = await transaction.query(`SAVEPOINT ${savepoint}`)
    // Without autocommit the next statement begins a transaction.
    if (serverStatus !== undefined) {
      return (serverStatus & inTransaction) !== 0 || (serverStatus & autocommit) === 0
    }
    try {
      await this.returnTo(transaction, savepoint)
      return true
    } catch (error) {
      if (errorNumber(error) === noSavepoint) return false
      throw error
    }
  }

  async returnTo(transaction: Connection, savepoint: string): Promise<void> {
    await transaction.query(`ROLLBACK TO SAVEPOINT ${savepoint}`)
  }

  get #lockTimeoutSeconds(): number {
    return seconds(this.#settings.lockTimeoutMs)
  }

  /** One statement in a transaction of its own. */
  async #ask(text: string, values: readonly string[], tries = 10): Promise<Reply> {
    try {
      return await this.#askOnce(text, values)
    } catch (error) {
      // Of two that wait for each other the server ends one, which has done nothing then.
      if (isDeadlock(error) && tries > 1) return this.#ask(text, values, tries - 1)
      throw journalError(error)
    }
  }

  /** MariaDB can bound the wait for a lock in the statement itself; MySQL only for a whole connection. */
  async #askOnce(text: string, values: readonly string[]): Promise<Reply> {
    if (this.#isMariaDb) {
      const bound = `SET STATEMENT innodb_lock_wait_timeout = ${this.#lockTimeoutSeconds} FOR`
      return connectionTo(this.#pool).query(`${bound} ${text}`, values)
    }
    return withConnection(this.#pool, async (connection) => {
      const restore = await changeSettings(connection, { innodb_lock_wait_timeout: this.#lockTimeoutSeconds })
      const outcome = await outcomeOf(() => connection.query(text, values))
      await restore()
      return outcome
    })
  }
}

/** Changes settings of a connection, and returns what changes them back. */
async function changeSettings(
  connection: Connection,
  settings: Readonly<Record<string, number>>,
): Promise<() => Promise<void>> {
  const names = Object.keys(settings)
  if (names.length === 0) return async () => {}
  const changes = Object.entries(settings).flatMap(([name, value]) => [
    `@hapax_${name} = @@SESSION.${name}`,
    `SESSION ${name} = ${value}`,
  ])
  await connection.query(`SET ${changes.join(', ')}`)
  return async () => {
    await connection.query(`SET ${names.map((name) => `SESSION ${name} = @hapax_${name}`).join(', ')}`)
  }
}

/** The server's settings know whole seconds only. */
function seconds(durationMs: number): number {
  return Math.max(1, Math.ceil(durationMs / 1000))
}

function keepSeconds(keepMs: number): string {
  return String(Math.min(seconds(keepMs), longestKeepSeconds))
}

function headIn(row: readonly unknown[] | undefined): Head | undefined {
  if (row === undefined) return undefined
  const [token, fingerprint, isOver] = row
  return { token: Number(token), fingerprint: String(fingerprint), isOver: isOver === 'true' }
}

function headValues(lease: HeldLease, keepMs: number): string[] {
  return [encodeText(lease.id), String(lease.token), lease.fingerprint, keepSeconds(keepMs)]
}

function stepValues(lease: HeldLease, step: StepRecord): string[] {
  const id = encodeText(lease.id)
  return [id, encodeText(step.name), encodeStepText(step), id, String(lease.token)]
}
