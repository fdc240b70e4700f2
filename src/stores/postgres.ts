import { createHash } from 'node:crypto'
import { invalidOption } from '../core/errors.ts'
import { type Logger, processWarnings, safely } from '../core/misuse.ts'
import {
  duration,
  flag,
  listOf,
  objectWith,
  oneOf,
  type Reader,
  readOptions,
} from '../core/option-readers.ts'
import type {
  ClaimRequest,
  ClaimResult,
  HeldLease,
  Inspection,
  Outcome,
  RenewResult,
  StepChange,
  Store,
  Unsubscribe,
  WriteResult,
} from '../core/store.ts'
import { entombed } from '../core/tombstone.ts'
import * as rules from '../core/transitions.ts'
import type { Duration } from '../protocol/duration.ts'
import { askHeld, askOutcome, askStep } from './postgres/arguments.ts'
import { forgets, type PostgresWarningCode, postgresWarningTexts } from './postgres/checks.ts'
import { Claims } from './postgres/claims.ts'
import type { PostgresClient } from './postgres/clients.ts'
import { type Database, databaseOf } from './postgres/database.ts'
import { encodeText } from './encoding/ascii.ts'
import { encodeBody } from './postgres/encoding.ts'
import { Gathering } from './postgres/gathering.ts'
import { inspectPostgres } from './postgres/inspect.ts'
import { migrate, requireCurrent, requireTables } from './postgres/migrate.ts'
import { Reaper } from './remote/reaper.ts'
import { Renewing } from './postgres/renewing.ts'
import { textIn } from './postgres/rows.ts'
import { Session } from './postgres/session.ts'
import { type Statements, statementsFor } from './postgres/statements.ts'
import { stampsIn, Watching } from './postgres/watching.ts'
import { Writes } from './postgres/writes.ts'

export type { PostgresWarningCode } from './postgres/checks.ts'
export type { NodePostgresPool, PostgresClient, PostgresJsSql } from './postgres/clients.ts'

export interface PostgresStoreOptions {
  /** Where the tables are. Created if it is not there. Default: `'hapax'`. */
  readonly schema?: string
  /**
   * Create and change the tables at the first use. `false` for teams that run migrations themselves:
   * `hapax migrate --print` shows them. Default: `true`.
   */
  readonly migrate?: boolean
  /**
   * How a duplicate that waits learns of its winner: `'listen'` on one more connection, or `'poll'`. With a pooler that
   * gives each transaction another connection, only polling works; the store finds that out. Default: `'listen'`.
   */
  readonly watch?: 'listen' | 'poll'
  /** How often watched records are asked for, all in one query, while nothing can be heard. Default: `'100ms'`. */
  readonly pollEvery?: Duration
  /**
   * How long a statement waits for a record that another transaction holds; then it rejects with `store-failed`. Below
   * the `storeTimeout` of the middleware, so that the reason is told. Default: `'1.5s'`.
   */
  readonly lockTimeout?: Duration
  /**
   * A connection of pg that has not answered for so long is closed, and the pool opens another. postgres.js has no
   * such bound. Default: `'10s'`.
   */
  readonly answerTimeout?: Duration
  /**
   * Prepare each statement once for a connection. Given up by itself where a pooler does not allow it. Default: `true`,
   * and with postgres.js only if its own `prepare` is on.
   */
  readonly prepare?: boolean
  /** How often expired records are looked for. Default: `'10s'`. */
  readonly reapEvery?: Duration
  /** Where warnings go. Default: `process.emitWarning`. */
  readonly logger?: Logger
  /** Codes of warnings not to give. */
  readonly silence?: readonly PostgresWarningCode[]
}

/**
 * Keeps records in Postgres 12 or later, for all instances of a service together.
 *
 * Takes a `Pool` of pg 8, or what `postgres()` of postgres.js 3 returns. It stays yours: `close()` of the store leaves
 * it open. Every verb is one statement, alone or with others of its kind, in a transaction of its own, so a pooler may
 * stand between. The store opens one more connection when the first duplicate waits for its winner.
 *
 * Connect it to the primary server. What Postgres forgets, hapax can't know: `docs/postgres.md` says when it does.
 *
 * @throws {IdempotencyError} `invalid-option`. The verbs reject with `store-failed`, with `store-full` where the disk
 * is, with `schema-too-new`, and with `store-closed` after `close()`.
 * @example
 * const once = idempotency({ store: postgresStore(new Pool()), scope: (req) => req.user.id })
 * @example
 * const once = idempotency({ store: postgresStore(postgres(url)), scope: (req) => req.user.id })
 */
export function postgresStore(pool: PostgresClient, options: PostgresStoreOptions = {}): Store {
  const settings = readOptions<Settings>(options, optionReaders)
  const { prepare, answerTimeout } = settings
  return new PostgresStore(databaseOf(pool, { prepare, answerTimeoutMs: answerTimeout }), settings)
}

interface Settings {
  readonly schema: string
  readonly migrate: boolean
  readonly watch: 'listen' | 'poll'
  readonly pollEvery: number
  readonly lockTimeout: number
  readonly answerTimeout: number
  readonly prepare: boolean
  readonly reapEvery: number
  readonly logger: Logger
  readonly silence: readonly PostgresWarningCode[]
}

// Object.keys() loses the literal type of a constant's keys.
const warningCodes = Object.keys(postgresWarningTexts) as PostgresWarningCode[]

/** Postgres cuts a longer name off, and two schemas could become one. */
const longestNameBytes = 63

const schemaName: Reader<string> = (value = 'hapax', option) => {
  const isName = typeof value === 'string' && value !== '' && !value.includes('\0')
  if (isName && Buffer.byteLength(value) <= longestNameBytes) return value
  throw invalidOption(option, `a name of 1 to ${longestNameBytes} bytes`, value)
}

const optionReaders = {
  schema: schemaName,
  migrate: flag(true),
  watch: oneOf(['listen', 'poll'], 'listen'),
  pollEvery: duration(100),
  lockTimeout: duration(1_500),
  answerTimeout: duration(10_000),
  prepare: flag(true),
  reapEvery: duration(10_000),
  logger: objectWith<Logger>(['warn'], 'an object with a warn(message) method', () => processWarnings),
  silence: listOf(warningCodes, `codes (${warningCodes.join(', ')})`),
}

/** Postgres gives bytes back as text of twice their length, of which it can't make more than 1 GiB. */
const longestBodyBytes = 256 * 1024 * 1024

class PostgresStore implements Store {
  readonly name = 'postgres'
  readonly durable = true
  readonly inspect: Inspection
  readonly #settings: Settings
  readonly #database: Database
  readonly #session: Session
  readonly #statements: Statements
  readonly #claims: Claims
  readonly #completions: Gathering
  readonly #writes: Writes
  readonly #renewing: Renewing
  readonly #watching: Watching
  readonly #reaper: Reaper
  #isChecked = false
  #closing: Promise<void> | undefined

  constructor(database: Database, settings: Settings) {
    const { schema, lockTimeout, reapEvery } = settings
    const channel = channelOf(schema)
    this.#settings = settings
    this.#database = database
    this.#statements = statementsFor(schema)
    this.#session = new Session(database, { lockTimeoutMs: lockTimeout, channel }, () => this.#prepare())
    this.#claims = new Claims(this.#session, this.#statements)
    this.#completions = new Gathering(this.#session, {
      alone: this.#statements.complete,
      together: this.#statements.completeAll,
    })
    const run = this.#session.run.bind(this.#session)
    this.#watching = this.#createWatching(channel)
    this.#writes = new Writes(run, (id) => this.#watching.changed(id))
    this.#renewing = new Renewing(this.#session, this.#statements, this.#writes)
    this.#reaper = new Reaper(reapEvery, {
      check: () => this.#checkVersion(),
      reap: async (count) => {
        const [row] = await run(this.#statements.reap, { count })
        return Number(textIn(row?.[0]))
      },
    })
    this.inspect = inspectPostgres(this.#statements, run, this.#writes)
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const result = await this.#claims.claim(request)
    if (result.kind === 'claimed') this.#watching.changed(request.id)
    if (!this.#isChecked) this.#check()
    return result
  }

  async renew(leases: readonly HeldLease[]): Promise<readonly RenewResult[]> {
    return this.#renewing.renew(leases)
  }

  async complete(lease: HeldLease, given: Outcome): Promise<WriteResult> {
    const outcome = storable(given)
    const body = outcome.kind === 'response' ? encodeBody(outcome.response) : Buffer.alloc(0)
    const { id, token } = lease
    const asked = askOutcome(outcome)
    const isWritten = await this.#writes.attempt(this.#completions, {
      id,
      asked: { token, ...asked },
      body,
    })
    if (isWritten) return 'written'
    const write = { id, asked: { ...askHeld(lease), ...asked }, body }
    return this.#writes.perform<WriteResult>(this.#statements.recomplete, write, {
      written: 'written',
      unreadable: 'stale',
      rule: (record, nowMs) => rules.complete(record, lease, outcome, nowMs),
    })
  }

  async release(lease: HeldLease, { clean }: { readonly clean: boolean }): Promise<WriteResult> {
    const write = { id: lease.id, asked: { token: lease.token, clean } }
    return this.#writes.perform<WriteResult>(this.#statements.release, write, {
      written: 'written',
      unreadable: 'stale',
      rule: (record, nowMs) => rules.release(record, lease, clean, nowMs),
    })
  }

  async recordStep(lease: HeldLease, change: StepChange): Promise<WriteResult> {
    const write = { id: lease.id, asked: askStep(lease, change) }
    return this.#writes.perform<WriteResult>(this.#statements.step, write, {
      written: 'written',
      unreadable: 'stale',
      rule: (record, nowMs) => rules.recordStep(record, lease, change, nowMs),
    })
  }

  async abandon(id: string, owner: string): Promise<void> {
    const write = { id, asked: { owner: encodeText(owner), clean: true } }
    return this.#writes.perform<void>(this.#statements.abandon, write, {
      written: undefined,
      unreadable: undefined,
      rule: (record, nowMs) => rules.abandon(record, owner, nowMs),
    })
  }

  async watch(id: string, listener: () => void): Promise<Unsubscribe> {
    this.#session.assertOpen()
    return this.#watching.add(id, listener)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#session.close()
    this.#reaper.stop()
    await this.#watching.close()
  }

  #createWatching(channel: string): Watching {
    const { stamps, mark, notify } = this.#statements
    const run = this.#session.run.bind(this.#session)
    const source = {
      mark: async (id: string) => void (await run(mark, { id: encodeText(id) })),
      stamps: async (ids: readonly string[]) => stampsIn(await run(stamps, { ids: ids.map(encodeText) })),
      notify: async (payload: string) => void (await run(notify, { id: payload })),
    }
    return new Watching(this.#database, source, {
      channel,
      listen: this.#settings.watch === 'listen',
      pollEveryMs: this.#settings.pollEvery,
      onUnheard: () => this.#warn('postgres-unheard'),
    })
  }

  async #prepare(): Promise<void> {
    const { schema } = this.#settings
    if (this.#settings.migrate) await migrate(this.#database, schema)
    else await requireTables(this.#database, schema)
    this.#reaper.start()
  }

  /** A newer release may have shut this one out while it runs. */
  async #checkVersion(): Promise<void> {
    try {
      await requireCurrent(this.#database, this.#settings.schema)
    } catch (error) {
      this.#session.prepareAgain()
      throw error
    }
  }

  /** After the first claim, which must not wait for it. */
  #check(): void {
    this.#isChecked = true
    forgets(this.#database).then(
      (forgetful) => forgetful && this.#warn('postgres-forgets'),
      () => {},
    )
  }

  #warn(code: PostgresWarningCode): void {
    if (this.#settings.silence.includes(code)) return
    safely(this.#settings.logger).warn(`${postgresWarningTexts[code]} [${code}: docs/postgres.md#${code}]`)
  }
}

function storable(outcome: Outcome): Outcome {
  if (outcome.kind === 'unknown' || outcome.response.kind === 'tombstone') return outcome
  if (outcome.response.body.byteLength <= longestBodyBytes) return outcome
  return { ...outcome, response: entombed(outcome.response, 'store-refused') }
}

/** Channels are the whole database's, and their names as short as a schema's. */
function channelOf(schema: string): string {
  return `hapax ${createHash('sha256').update(schema).digest('hex').slice(0, 24)}`
}
