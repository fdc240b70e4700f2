import { setTimeout as sleep } from 'node:timers/promises'
import { storeClosed } from '../embedded/closed.ts'
import type { Database, Row } from './database.ts'
import { isRepeatable, storeError } from './errors.ts'
import { Gate } from '../remote/gate.ts'
import type { Statement } from './statements.ts'

export interface SessionSettings {
  /** How long a statement waits for a row that another transaction holds. */
  readonly lockTimeoutMs: number
  /** Where changes of watched records are notified. */
  readonly channel: string
}

/** What a statement is asked: members of its JSON, as an object's text that has at least one; and a body. */
export interface Asked {
  readonly json: string
  readonly body: Buffer | undefined
}

const mostTries = 5
/** Many don't wait for the row of one: it is sent alone then, and waits by itself. */
const mostLockTimeoutOfManyMs = 50

/** Runs statements for as long as the store is open, once its tables are there. */
export class Session {
  readonly #database: Database
  readonly #settings: SessionSettings
  readonly #prepare: () => Promise<void>
  readonly #gate = new Gate('Postgres')
  readonly #channelJson: string
  #prepared: Promise<void> | undefined
  #isPrepared = false
  #isClosed = false

  /** @param prepare Called before the first statement, and again after it failed. */
  constructor(database: Database, settings: SessionSettings, prepare: () => Promise<void>) {
    this.#database = database
    this.#settings = settings
    this.#prepare = prepare
    this.#channelJson = JSON.stringify(settings.channel)
  }

  /** @param asked Members of the JSON that the statement reads. */
  async run(statement: Statement, asked: object, body?: Buffer): Promise<readonly Row[]> {
    const json = JSON.stringify(asked)
    return this.pass(() => this.send(statement, { json, body }))
  }

  /** Lets `work`, which must not throw, send statements; unless the store is closed, has no tables, or gets no answers. */
  pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isClosed) return Promise.reject(storeClosed('postgresStore'))
    const passed = this.#isPrepared
      ? this.#gate.pass(work)
      : this.#untilPrepared().then(() => this.#gate.pass(work))
    return passed.catch(rejectAsStore)
  }

  /** To be called within {@link pass}. */
  send(statement: Statement, { json, body }: Asked): Promise<readonly Row[]> {
    const text = `${this.#common(this.#settings.lockTimeoutMs)},${json.slice(1)}`
    const values = body === undefined ? [text] : [text, body]
    return this.#database
      .query(statement, values)
      .catch((error: unknown) => this.#repeat(() => this.#database.query(statement, values), error))
  }

  /** Sends one statement of many, once. Their bodies are one value, of which each knows its part. */
  sendAll(statement: Statement, all: readonly Asked[]): Promise<readonly Row[]> {
    const bodies: Buffer[] = []
    let bodyAt = 1
    const members = all.map(({ json, body }) => {
      if (body === undefined) return `{"format":1,${json.slice(1)}`
      const part = `"body_at":${bodyAt},"body_bytes":${body.byteLength}`
      bodies.push(body)
      bodyAt += body.byteLength
      return `{"format":1,${part},${json.slice(1)}`
    })
    const lockTimeoutMs = Math.min(this.#settings.lockTimeoutMs, mostLockTimeoutOfManyMs)
    const text = `${this.#common(lockTimeoutMs)},"members":[${members.join(',')}]}`
    return this.#database.query(statement, bodies.length > 0 ? [text, Buffer.concat(bodies)] : [text])
  }

  /** Without the end of the object. */
  #common(lockTimeoutMs: number): string {
    return `{"lock_timeout":"${lockTimeoutMs}","channel":${this.#channelJson}`
  }

  assertOpen(): void {
    if (this.#isClosed) throw storeClosed('postgresStore')
  }

  /** The tables may have changed: looks at them again before the next statement. */
  prepareAgain(): void {
    this.#prepared = undefined
    this.#isPrepared = false
  }

  close(): void {
    this.#isClosed = true
  }

  /** What met another statement under a strict isolation was undone, and is sent again. */
  async #repeat<T>(send: () => Promise<T>, first: unknown): Promise<T> {
    let failed = first
    for (let tries = 1; tries < mostTries && isRepeatable(failed); tries += 1) {
      await sleep(Math.random() * 5 * tries, undefined, { ref: false })
      try {
        return await send()
      } catch (error) {
        failed = error
      }
    }
    throw failed
  }

  #untilPrepared(): Promise<void> {
    this.#prepared ??= this.#gate.pass(this.#prepare).then(
      () => {
        this.#isPrepared = true
      },
      (error: unknown) => {
        this.#prepared = undefined
        throw error
      },
    )
    return this.#prepared
  }
}

function rejectAsStore(error: unknown): never {
  throw storeError(error)
}
