import type { Journal } from '../../core/journal.ts'

/** How to make the journals of one kind, and how an application writes beside them. */
export interface JournalSubject<Place> {
  readonly name: string
  readonly capabilities: {
    /** Transactions may overlap. Where not, their functions are not asynchronous, and are given one at a time. */
    readonly concurrent: boolean
  }
  /** A database, or a part of one, that nobody else uses, with a table for effects. */
  create(): Place | Promise<Place>
  /** A journal on the place, as another process would have it. */
  connect(place: Place): Journal | Promise<Journal>
  destroy?(place: Place): void | Promise<void>
  /** Writes one effect, as an application does in `transaction(name, fn)`. Returns no promise unless concurrent. */
  addEffect(place: Place, transaction: unknown, effect: string): void | Promise<void>
  /** How often an effect was committed. */
  effects(place: Place, effect: string): Promise<number>
  /** Begins a transaction of the application's own, on a connection of its own. */
  begin(place: Place): Promise<OwnTransaction>
  /** What an application gives as `within` by mistake: it is in no transaction. */
  idle(place: Place): Promise<OwnTransaction>
}

export interface OwnTransaction {
  readonly within: unknown
  commit(): Promise<void>
  rollBack(): Promise<void>
}

/** What a case may use. */
export interface JournalKit {
  readonly journal: Journal
  /** Another journal on the same place. */
  connect(): Promise<Journal>
  addEffect(transaction: unknown, effect: string): void | Promise<void>
  effects(effect: string): Promise<number>
  begin(): Promise<OwnTransaction>
  idle(): Promise<OwnTransaction>
}

export interface JournalCase {
  readonly name: string
  readonly needs?: 'concurrent'
  run(kit: JournalKit): Promise<void>
}
