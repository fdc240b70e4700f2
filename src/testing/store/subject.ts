import type { Store } from '../../core/store.ts'

/** The two functions of a test runner that a contract needs: vitest, node:test and Jest all have them. */
export interface TestApi {
  describe(name: string, body: () => void): unknown
  test(name: string, body: () => Promise<void>): unknown
}

/**
 * A kind of store to be held to the contract. `Place` is whatever tells where one set of records lies: the
 * path of a file, a key prefix, a schema.
 */
export interface StoreSubject<Place> {
  readonly name: string
  readonly capabilities: StoreCapabilities
  /** Of a store that can't keep bodies of 10 MiB: what it keeps at least. */
  readonly longestBodyBytes?: number
  /** A place without records that nothing else uses. */
  create(): Place | Promise<Place>
  /** Opens a store there. Called once for each place, and again where the store is `shared`. */
  connect(place: Place): Store | Promise<Store>
  /** Called when all stores of that place were closed. */
  destroy?(place: Place): void | Promise<void>
  /**
   * Lets time pass for the stores of that place, for a store whose clock can be given. Without it the
   * contract really waits, and leaves out the cases that need an exact moment.
   */
  advance?(place: Place, durationMs: number): void | Promise<void>
  /** Damages a stored record, so that it can't be decoded. */
  corrupt?(place: Place, id: string): void | Promise<void>
  /** Marks a stored record as written in a format that no release knows yet. */
  makeNewer?(place: Place, id: string): void | Promise<void>
}

export interface StoreCapabilities {
  /** Two stores on one place see the same records, as two processes would. */
  readonly shared: boolean
  /** The store has `watch`. */
  readonly watch: boolean
  /** The store has `inspect`. */
  readonly inspect: boolean
}

/** One rule of the contract, tried on a place of its own. */
export interface StoreCase {
  readonly name: string
  /** Left out for a subject that lacks any of these. */
  readonly needs?: readonly Need[]
  run(kit: StoreKit): Promise<void>
}

export type Need = keyof StoreCapabilities | 'exact time' | 'corrupt' | 'makeNewer'

/** What a case works with. */
export interface StoreKit {
  readonly store: Store
  readonly longestBodyBytes: number
  /** Another store on the same place. */
  connect(): Promise<Store>
  /** Lets time pass: at least so long, and exactly so long where the subject's clock can be set. */
  pass(durationMs: number): Promise<void>
  corrupt(id: string): Promise<void>
  makeNewer(id: string): Promise<void>
}
