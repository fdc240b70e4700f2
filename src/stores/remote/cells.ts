import type { IdempotencyRecord } from '../../core/record.ts'

/**
 * A database that can do one thing: put a record where a given revision stands. `SwapStore` makes a store of it, by the
 * pure rules of `core/transitions.ts`.
 */
export interface Cells {
  /** Resolves once the other verbs may be called. */
  ready(): Promise<void>
  /** The time by which a record would be judged now, in whole milliseconds. */
  now(): number
  read(id: string): Promise<Found>
  /**
   * One atomic step: the record takes the place of what is `expected`, or of nothing. Resolves to nothing if it
   * stands, else to what stands there.
   *
   * @throws RecordTooLarge
   */
  put(put: Put): Promise<Found | undefined>
  /** Puts records that differ from what stands there only in how long they last. True where that one stands now. */
  extend(puts: readonly Put[]): Promise<readonly boolean[]>
  /** A text for each id that is there, which differs after any change that somebody may wait for. */
  stamps(ids: readonly string[]): Promise<ReadonlyMap<string, string>>
  /** Some records behind a position, in any order that does not change. */
  heads(after: string | undefined): Promise<HeadPage>
  /** Whether the operation failed only since another one holds the record. */
  isHeld(error: unknown): boolean
}

export interface Put {
  /** What stands there, as far as is known. Absent: nothing. */
  readonly expected: Standing | undefined
  readonly record: IdempotencyRecord
  /** Fresh for each put, so that nobody can take what stands there for another thing. */
  readonly revision: string
  /** The time by which it was judged. A database with a clock of its own refuses one that is not true. */
  readonly nowMs: number
}

export interface Found {
  readonly nowMs: number
  readonly cell?: Cell
}

export type Cell = RecordCell | UnreadableCell

/** What a write names of what it replaces. The revision would do; the others show a change by hand. */
export interface Standing {
  readonly revision: string
  readonly format: number
  readonly state: string
  /** The fencing token. */
  readonly token: number
}

export interface RecordCell {
  readonly kind: 'record'
  readonly standing: Standing
  readonly record: IdempotencyRecord
}

export interface UnreadableCell {
  readonly kind: 'unreadable'
  /** As far as it can be read. */
  readonly standing: Standing
  readonly reason: string
  readonly expiresAtMs: number
}

export interface HeadPage {
  readonly heads: readonly Head[]
  /** Behind the last of them; absent at the end. */
  readonly next?: string
}

export interface Head {
  /** Begin behind this one with its position. */
  readonly position: string
  readonly id: string
  readonly state: string
}

/** The database can't hold a record of this size. */
export class RecordTooLarge extends Error {}
