import { type Clock, systemClock } from '../../src/core/clock.ts'

/** A clock that stands still until it is told. Timers are real: they only poll and sweep. */
export class ManualClock implements Clock {
  #wallMs: number
  #monotonicMs = 0

  constructor(wallMs = Date.UTC(2026, 0, 1)) {
    this.#wallMs = wallMs
  }

  now(): number {
    return this.#wallMs
  }

  monotonic(): number {
    return this.#monotonicMs
  }

  setTimer = systemClock.setTimer

  /** Time passes, for both clocks. */
  advance(durationMs: number): void {
    this.#wallMs += durationMs
    this.#monotonicMs += durationMs
  }

  /** Somebody sets the wall clock. */
  jump(durationMs: number): void {
    this.#wallMs += durationMs
  }
}
