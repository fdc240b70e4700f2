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

const mostTries = 5

/** Runs statements for as long as the store is open, once its tables are there. */
export class Session {
  readonly #database: Database
  readonly #settings: SessionSettings
  readonly #prepare: () => Promise<void>
  readonly #gate = new Gate('Postgres')
  #prepared: Promise<void> | undefined
  #isClosed = false

  /** @param prepare Called before the first statement, and again after it failed. */
  constructor(database: Database, settings: SessionSettings, prepare: () => Promise<void>) {
    this.#database = database
    this.#settings = settings
    this.#prepare = prepare
  }

  /** @param asked Members of the JSON that the statement reads. */
  async run(statement: Statement, asked: object, body?: Buffer): Promise<readonly Row[]> {
    return this.pass(() => this.send(statement, asked, body))
  }

  async pass<T>(send: () => Promise<T>): Promise<T> {
    this.assertOpen()
    try {
      await this.#untilPrepared()
      return await this.#gate.pass(send)
    } catch (error) {
      throw storeError(error)
    }
  }

  send(statement: Statement, asked: object, body?: Buffer): Promise<readonly Row[]> {
    const { lockTimeoutMs, channel } = this.#settings
    const json = JSON.stringify({ lock_timeout: String(lockTimeoutMs), channel, ...asked })
    const values = body === undefined ? [json] : [json, body]
    return this.#repeat(() => this.#database.query(statement, values))
  }

  sendAll(
    statement: Statement,
    members: ReadonlyArray<{ readonly asked: object; readonly body?: Buffer }>,
  ): Promise<readonly Row[]> {
    const { lockTimeoutMs, channel } = this.#settings
    const hasBodies = members[0]?.body !== undefined
    let at = 1
    const all = members.map(({ asked, body }) => {
      if (body === undefined) return asked
      const row = { ...asked, body_at: at, body_bytes: body.byteLength }
      at += body.byteLength
      return row
    })
    const json = JSON.stringify({ lock_timeout: String(Math.min(lockTimeoutMs, 50)), channel, all })
    const values = hasBodies ? [json, Buffer.concat(members.map(({ body }) => body ?? Buffer.alloc(0)))] : [json]
    return this.#database.query(statement, values)
  }

  assertOpen(): void {
    if (this.#isClosed) throw storeClosed('postgresStore')
  }

  /** The tables may have changed: looks at them again before the next statement. */
  prepareAgain(): void {
    this.#prepared = undefined
  }

  close(): void {
    this.#isClosed = true
  }

  /** What met another statement under a strict isolation was undone, and is sent again. */
  async #repeat<T>(send: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await send()
      } catch (error) {
        if (!isRepeatable(error) || tries >= mostTries) throw error
      }
      await sleep(Math.random() * 5 * tries, undefined, { ref: false })
    }
  }

  #untilPrepared(): Promise<void> {
    this.#prepared ??= this.#gate.pass(this.#prepare).catch((error: unknown) => {
      this.#prepared = undefined
      throw error
    })
    return this.#prepared
  }
}
