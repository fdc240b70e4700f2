import { systemClock, type Timer } from '../../core/clock.ts'
import type { Watchers } from '../embedded/watchers.ts'

/** A text for each id that is there, which differs after a change. */
type ReadStamps = (ids: readonly string[]) => Promise<ReadonlyMap<string, string>>

/** Asks about all watched records in one query at a time, where nothing can be heard of them. */
export class Polling {
  readonly #everyMs: number
  readonly #watchers: Watchers
  readonly #read: ReadStamps
  readonly #stamps = new Map<string, string | undefined>()
  #timer: Timer | undefined
  #isRunning = false

  constructor(everyMs: number, watchers: Watchers, read: ReadStamps) {
    this.#everyMs = everyMs
    this.#watchers = watchers
    this.#read = read
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  /** Any change after this resolves will be noticed. */
  async begin(id: string): Promise<void> {
    this.start()
    const stamps = await this.#read([id])
    if (!this.#stamps.has(id)) this.#stamps.set(id, stamps.get(id))
  }

  start(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    this.#arm()
  }

  stop(): void {
    this.#isRunning = false
    this.#timer?.cancel()
    this.#stamps.clear()
  }

  #arm(): void {
    this.#timer = systemClock.setTimer(() => void this.#turn(), this.#everyMs)
  }

  async #turn(): Promise<void> {
    // Nobody waits any more: begin() starts it again.
    if (this.#watchers.size === 0) return this.stop()
    try {
      this.#compare(await this.#read([...this.#watchers.ids]))
    } catch {
      // What is wrong with the database, the verbs report.
    }
    if (this.#isRunning) this.#arm()
  }

  #compare(found: ReadonlyMap<string, string>): void {
    if (!this.#isRunning) return
    for (const id of this.#stamps.keys()) {
      if (!this.#watchers.has(id)) this.#stamps.delete(id)
    }
    for (const id of this.#watchers.ids) {
      const stamp = found.get(id)
      // Of one that was watched in another way until now, nobody knows what it was: its watchers look.
      if (this.#stamps.has(id) && this.#stamps.get(id) === stamp) continue
      this.#stamps.set(id, stamp)
      this.#watchers.notify(id)
    }
  }
}
