import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { IdempotencyError } from '../../core/errors.ts'
import type { IdempotencyRecord } from '../../core/record.ts'
import type { Transition } from '../../core/transitions.ts'
import type { Cell, Cells, Found, Put } from './cells.ts'
import { OwnWrites } from './own-writes.ts'

/** One of the rules of `core/transitions.ts`, with what it is asked. */
export interface Change<Result> {
  rule(record: IdempotencyRecord | undefined, nowMs: number): Transition<Result>
  /** The result where the record can't be read. */
  unreadable(reason: string): Result
}

export type Start =
  /** What this process wrote last, or what it reads now. */
  | 'known'
  /** As if nothing were there, which is true of most claims. */
  | 'absent'
  | 'read'

interface Known extends Found {
  readonly cell: Cell
  readonly record: IdempotencyRecord
}

const mostTries = 50
const patientTries = 3

/**
 * Carries out the pure rules by compare-and-set: judges what is thought to stand there, and puts what the rule says in
 * the place of exactly that. A wrong guess costs a round trip, never a wrong write, since the revision would differ.
 */
export class Swapping {
  readonly #cells: Cells
  readonly #own = new OwnWrites()
  readonly #onChanged: (id: string) => void

  constructor(cells: Cells, onChanged: (id: string) => void) {
    this.#cells = cells
    this.#onChanged = onChanged
  }

  async apply<Result>(id: string, change: Change<Result>, start: Start): Promise<Result> {
    await this.#cells.ready()
    const guess = this.#guess(id, start)
    let found = guess ?? (await this.#cells.read(id))
    let isCertain = guess === undefined
    for (let tries = 1; tries <= mostTries; tries += 1) {
      const { result, write } = judge(found, change)
      if (write === undefined) {
        if (isCertain) return result
        found = await this.#cells.read(id)
        isCertain = true
        continue
      }
      const instead = await this.#put(putOf(found, write))
      if (instead === undefined) return result
      found = instead
      isCertain = true
      if (tries > patientTries) await sleep(Math.random() * 10 * tries, undefined, { ref: false })
    }
    throw new IdempotencyError(
      'store-failed',
      `The record changed ${mostTries} times while it was being written. Try again when fewer requests share its key.`,
    )
  }

  /** Extends what this process wrote last, all in one go; says of which ids that was true. */
  async extend(changes: ReadonlyMap<string, Change<unknown>>): Promise<ReadonlySet<string>> {
    await this.#cells.ready()
    const puts: Put[] = []
    for (const [id, change] of changes) {
      const guess = this.#known(id)
      const write = guess && judge(guess, change).write
      // Under another token it would be another record, which is put alone.
      if (guess === undefined || write === undefined || write.token !== guess.record.token) continue
      puts.push(putOf(guess, write))
    }
    if (puts.length === 0) return new Set()
    const stands = await this.#cells.extend(puts)
    const extended = puts.filter((_, index) => stands[index])
    for (const put of extended) this.#own.remember(put)
    return new Set(extended.map(({ record }) => record.id))
  }

  /** Puts a record in the place of what was found. False if that is no longer there. */
  async replace(found: Found, record: IdempotencyRecord): Promise<boolean> {
    return (await this.#put(putOf(found, record))) === undefined
  }

  async #put(put: Put): Promise<Found | undefined> {
    const instead = await this.#cells.put(put)
    // A driver that sent it twice was refused the second time, by what it wrote itself.
    if (instead !== undefined && instead.cell?.standing.revision !== put.revision) return instead
    this.#own.remember(put)
    this.#onChanged(put.record.id)
  }

  #guess(id: string, start: Start): Found | undefined {
    if (start === 'read') return undefined
    if (start === 'absent') return { nowMs: this.#cells.now() }
    return this.#known(id)
  }

  #known(id: string): Known | undefined {
    const cell = this.#own.of(id)
    return cell && { nowMs: this.#cells.now(), cell, record: cell.record }
  }
}

function putOf(found: Found, record: IdempotencyRecord): Put {
  const revision = randomBytes(12).toString('base64url')
  return { expected: found.cell?.standing, record, revision, nowMs: found.nowMs }
}

function judge<Result>({ cell, nowMs }: Found, change: Change<Result>): Transition<Result> {
  switch (cell?.kind) {
    case undefined:
      return change.rule(undefined, nowMs)
    case 'record':
      return change.rule(cell.record, nowMs)
    case 'unreadable':
      if (cell.expiresAtMs > nowMs) return { result: change.unreadable(cell.reason) }
      return change.rule(undefined, Math.max(nowMs, afterToken(cell.standing.token, nowMs)))
  }
}

/** A token further ahead than this is damaged, or another store's. */
const longestLeadMs = 60_000

/** The next token of the key must be above the last, though its record can't be read. */
function afterToken(token: number, nowMs: number): number {
  const afterMs = Math.floor(token / 1000) + 1
  return afterMs - nowMs <= longestLeadMs ? afterMs : nowMs
}
