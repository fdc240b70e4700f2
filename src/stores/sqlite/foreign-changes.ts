import type { Clock, Timer } from '../../core/clock.ts'
import type { Watchers } from '../embedded/watchers.ts'

/** How the database is asked for changes. */
export interface ChangeSource {
  /** A number that differs after another connection has committed. */
  seen(): number
  /** A text that differs after the record has changed. Throws where the database is locked. */
  stamp(id: string): unknown
}

const pollMs = 25

/**
 * Tells watchers of changes that other processes made. SQLite is asked whether anybody else has written, on one timer, only
 * while something is watched.
 */
export class ForeignChanges {
  readonly #clock: Clock
  readonly #source: ChangeSource
  readonly #watchers: Watchers
  readonly #stamps = new Map<string, unknown>()
  #seen: number | undefined
  #timer: Timer | undefined

  constructor(clock: Clock, source: ChangeSource, watchers: Watchers) {
    this.#clock = clock
    this.#source = source
    this.#watchers = watchers
  }

  /** To be called before the first listener of `id` is added: later changes are told. */
  begin(id: string): void {
    if (this.#timer === undefined) {
      this.#seen = this.#source.seen()
      this.#arm(pollMs)
    }
    if (!this.#stamps.has(id)) this.#stamps.set(id, this.#source.stamp(id))
  }

  stop(): void {
    this.#timer?.cancel()
    this.#stamps.clear()
  }

  #arm(delayMs: number): void {
    this.#timer = this.#clock.setTimer(() => {
      this.#timer = undefined
      this.#poll()
    }, delayMs)
  }

  #poll(): void {
    for (const id of this.#stamps.keys()) {
      if (!this.#watchers.has(id)) this.#stamps.delete(id)
    }
    if (this.#stamps.size === 0) return

    const startedMs = performance.now()
    try {
      this.#compare()
    } catch {
      // Nothing was compared, so the next poll finds the same changes.
    }
    // Where very many records are watched, the comparison takes a tenth of the time at most.
    this.#arm(Math.max(pollMs, (performance.now() - startedMs) * 10))
  }

  #compare(): void {
    const seen = this.#source.seen()
    if (seen === this.#seen) return
    for (const [id, known] of this.#stamps) {
      const stamp = this.#source.stamp(id)
      if (stamp === known) continue
      this.#stamps.set(id, stamp)
      this.#watchers.notify(id)
    }
    this.#seen = seen
  }
}
