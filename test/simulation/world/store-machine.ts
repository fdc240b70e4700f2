import type { Clock } from '../../../src/core/clock.ts'
import type { Store } from '../../../src/core/store.ts'
import type { World } from './world.ts'

export type StoreFactory = (clock: Clock) => Store

/** Any moment will do, but tokens must look like real ones. */
const epochMs = 1_700_000_000_000

/** The machine on which the store runs: it has a clock of its own, may stall, refuse, and forget. */
export class StoreMachine {
  readonly #world: World
  readonly #factory: StoreFactory
  readonly #clock: Clock
  #store: Store
  #offsetMs = 0
  #stalledUntilMs = 0
  #downUntilMs = 0

  constructor(world: World, factory: StoreFactory) {
    const { scheduler } = world
    this.#world = world
    this.#factory = factory
    this.#clock = {
      now: () => epochMs + scheduler.nowMs + this.#offsetMs,
      monotonic: () => scheduler.nowMs,
      setTimer: (callback, delayMs) => ({ cancel: scheduler.after(delayMs, callback) }),
    }
    this.#store = factory(this.#clock)
  }

  get isDown(): boolean {
    return this.#world.nowMs < this.#downUntilMs
  }

  get store(): Store {
    return this.#store
  }

  /** Carries out a request as soon as the machine runs. */
  serve(work: (store: Store) => void): void {
    if (this.#world.nowMs < this.#stalledUntilMs) {
      this.#world.scheduler.at(this.#stalledUntilMs, () => this.serve(work))
    } else if (!this.isDown) {
      work(this.#store)
    }
  }

  stall(forMs: number): void {
    this.#stalledUntilMs = Math.max(this.#stalledUntilMs, this.#world.nowMs + forMs)
  }

  goDown(forMs: number): void {
    this.#downUntilMs = Math.max(this.#downUntilMs, this.#world.nowMs + forMs)
  }

  moveClock(byMs: number): void {
    this.#offsetMs += byMs
  }

  /** As a store does that keeps its records in memory and is started anew. */
  async forget(): Promise<void> {
    const forgetful = this.#store
    this.#store = this.#factory(this.#clock)
    await forgetful.close()
  }
}
