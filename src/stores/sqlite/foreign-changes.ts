import type { Clock, Timer } from '../../core/clock.ts'
import type { Watchers } from '../embedded/watchers.ts'

/** How the database is asked for changes. All may throw, as where it is locked. */
export interface ChangeSource {
  /** A number that differs after another connection has committed. */
  dataVersion(): unknown
  /** A text that differs after the record has changed. */
  stamp(id: string): unknown
}

const pollMs = 25

/**
 * Tells watchers of changes that other processes made. SQLite can't call us, but it can be asked, for about
 * a microsecond, whether anybody else has written: asked on one timer, only while something is watched.
 */
export class ForeignChanges {
  readonly #clock: Clock
  readonly #source: ChangeSource
  readonly #watchers: Watchers
  readonly #stamps = new Map<string, unknown>()
  #dataVersion: unknown
  #timer: Timer | undefined

  constructor(clock: Clock, source: ChangeSource, watchers: Watchers) {
    this.#clock = clock
    this.#source = source
    this.#watchers = watchers
  }

  /** To be called before the first listener of `id` is added: later changes are told. */
  begin(id: string): void {
    if (this.#timer === undefined) {
      this.#dataVersion = this.#source.dataVersion()
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
    const dataVersion = this.#source.dataVersion()
    if (dataVersion === this.#dataVersion) return
    for (const [id, known] of this.#stamps) {
      const stamp = this.#source.stamp(id)
      if (stamp === known) continue
      this.#stamps.set(id, stamp)
      this.#watchers.notify(id)
    }
    this.#dataVersion = dataVersion
  }
}
