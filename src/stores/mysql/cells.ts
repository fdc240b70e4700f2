import { type Cells, type Found, type HeadPage, type Put, RecordTooLarge } from '../remote/cells.ts'
import { ForwardServerClock } from '../remote/forward-server-clock.ts'
import { isDuplicate, isLocked } from './errors.ts'
import { bufferOf, bytesOf, foundIn, hashOf, headIn, standingValues, textOf, valuesOf } from './rows.ts'
import { type Check, insideTransaction, type Reply, type Row, type SqlValue } from './session.ts'
import * as sql from './statements.ts'

/** What the server can do, and how it is set; known once the tables are there. */
export interface ServerSettings {
  /** MariaDB tells what stands there in the trip that tries to insert, and bounds a wait for a lock in the statement. */
  readonly isMariaDb: boolean
  readonly longestPacketBytes: number
  readonly nowMs: number
}

export interface Runner {
  run(statement: string, values: readonly SqlValue[], check?: Check): Promise<Reply>
  ready(): Promise<void>
}

const headsAtOnce = 500
const extendedAtOnce = 200
/** What a statement has beside its values. */
const statementBytes = 4_096

export class MysqlCells implements Cells {
  readonly #runner: Runner
  readonly #lockTimeoutSeconds: number
  readonly #clock = new ForwardServerClock()
  #server: ServerSettings | undefined

  constructor(runner: Runner, lockTimeoutMs: number) {
    this.#runner = runner
    // The server knows whole seconds only.
    this.#lockTimeoutSeconds = Math.max(1, Math.ceil(lockTimeoutMs / 1000))
  }

  /** Called before any other statement runs. */
  settle(server: ServerSettings): void {
    this.#server = server
    this.#clock.set(server.nowMs)
  }

  ready(): Promise<void> {
    return this.#runner.ready()
  }

  now(): number {
    return Math.floor(this.#clock.now())
  }

  async read(id: string): Promise<Found> {
    const { rows } = await this.#runner.run(sql.readSql, [hashOf(id)])
    const found = foundIn(rows[0])
    this.#clock.learn(found.nowMs)
    return found
  }

  async put({ expected, record, revision, nowMs }: Put): Promise<Found | undefined> {
    const hash = hashOf(record.id)
    const values = valuesOf(record, revision)
    this.#assertFits(values)
    const times = [nowMs, nowMs]
    if (expected === undefined) return this.#insert(record.id, [hash, ...values, ...times], revision)
    const { affectedRows } = await this.#write(sql.replaceSql, [
      ...values,
      hash,
      ...standingValues(expected),
      ...times,
    ])
    return affectedRows > 0 ? undefined : this.#readInstead(record.id)
  }

  async extend(puts: readonly Put[]): Promise<readonly boolean[]> {
    const stands: boolean[] = []
    for (let start = 0; start < puts.length; start += extendedAtOnce) {
      stands.push(...(await this.#extendSome(puts.slice(start, start + extendedAtOnce))))
    }
    return stands
  }

  async stamps(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (ids.length === 0) return new Map()
    const { rows } = await this.#runner.run(sql.stampsSql(ids.length), ids.map(hashOf))
    const byHash = new Map(rows.map(([hash, stamp]) => [bufferOf(hash).toString('hex'), String(stamp)]))
    return new Map(
      ids.flatMap((id) => {
        const stamp = byHash.get(hashOf(id).toString('hex'))
        return stamp === undefined ? [] : [[id, stamp] as const]
      }),
    )
  }

  async heads(after: string | undefined): Promise<HeadPage> {
    const { rows } = await this.#runner.run(sql.headsSql(headsAtOnce), [Buffer.from(after ?? '', 'hex')])
    const heads = rows.map(headIn)
    const next = heads.at(-1)?.position
    return { heads, ...(rows.length === headsAtOnce && next !== undefined && { next }) }
  }

  /** Deletes some records that expired, unless they changed meanwhile; resolves to how many there were. */
  async reap(count: number): Promise<number> {
    const { rows } = await this.#runner.run(sql.expiredSql(count), [])
    if (rows.length > 0) await this.#write(sql.deleteSql(rows.length), rows.flatMap(identityOf))
    return rows.length
  }

  isHeld(error: unknown): boolean {
    return error instanceof Error && isLocked(error.cause)
  }

  async #insert(id: string, values: readonly SqlValue[], revision: string): Promise<Found | undefined> {
    if (!this.#known().isMariaDb) return this.#insertOrRead(id, values)
    const { rows } = await this.#write(sql.insertReturningSql, values, assertOwnTransaction)
    const [row] = rows
    // The time was not true.
    if (row === undefined) return this.#readInstead(id)
    const found = foundIn(row)
    this.#clock.learn(found.nowMs)
    return found.cell?.standing.revision === revision ? undefined : found
  }

  async #insertOrRead(id: string, values: readonly SqlValue[]): Promise<Found | undefined> {
    try {
      const { affectedRows } = await this.#write(sql.insertSql, values)
      if (affectedRows > 0) return undefined
    } catch (error) {
      if (!(error instanceof Error) || !isDuplicate(error.cause)) throw error
    }
    return this.#readInstead(id)
  }

  /** A record or a time that was not true is no longer guessed. */
  async #readInstead(id: string): Promise<Found> {
    const { rows } = await this.#runner.run(sql.readSql, [hashOf(id)])
    const found = foundIn(rows[0])
    this.#clock.set(found.nowMs)
    return found
  }

  async #extendSome(puts: readonly Put[]): Promise<readonly boolean[]> {
    // Always in one order, or two batches could wait for each other.
    const ordered = puts
      .map((put) => ({ put, hash: hashOf(put.record.id) }))
      .toSorted((one, other) => Buffer.compare(one.hash, other.hash))
    const nowMs = puts[0]?.nowMs ?? this.now()
    const values = ordered.flatMap(({ put, hash }) => {
      const [revision = null, , , , leaseUntilMs = null, expiresAtMs = null] = valuesOf(
        put.record,
        put.revision,
      )
      return [
        hash,
        ...(put.expected ? standingValues(put.expected) : []),
        revision,
        leaseUntilMs,
        expiresAtMs,
      ]
    })
    try {
      const { affectedRows } = await this.#write(sql.extendSql(puts.length), [...values, nowMs, nowMs])
      if (affectedRows === puts.length) return puts.map(() => true)
    } catch (error) {
      // One that is held must not hold up the others: each is asked for alone.
      if (!this.isHeld(error)) throw error
      return puts.map(() => false)
    }
    const { rows } = await this.#runner.run(
      sql.revisionsSql(puts.length),
      ordered.map(({ hash }) => hash),
    )
    const revisions = new Set(rows.map(([, revision]) => textOf(revision)))
    return puts.map(({ revision }) => revisions.has(revision))
  }

  #write(statement: string, values: readonly SqlValue[], check?: Check): Promise<Reply> {
    const bound = `SET STATEMENT innodb_lock_wait_timeout = ${this.#lockTimeoutSeconds} FOR`
    return this.#runner.run(this.#known().isMariaDb ? `${bound} ${statement}` : statement, values, check)
  }

  #assertFits(values: readonly SqlValue[]): void {
    const { longestPacketBytes } = this.#known()
    const bytes = bytesOf(values) + statementBytes
    if (bytes <= longestPacketBytes) return
    throw new RecordTooLarge(
      `A statement of ${bytes} bytes is more than the server takes. Raise its max_allowed_packet, which is ` +
        `${longestPacketBytes}: a record takes a third more than its size.`,
    )
  }

  #known(): ServerSettings {
    if (this.#server === undefined) throw new Error('The store has not looked at the server yet.')
    return this.#server
  }
}

function identityOf([hash, revision]: Row): SqlValue[] {
  return [bufferOf(hash), bufferOf(revision)]
}

function assertOwnTransaction({ rows: [row] }: Reply): void {
  if (row !== undefined && Number(row.at(-1)) !== 0) throw insideTransaction()
}
