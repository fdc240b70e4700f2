/** A timer that {@link Clock.setTimer} armed. */
export interface Timer {
  cancel(): void
}

/**
 * Where the engine and the embedded stores read time and set timers.
 * Replace it to test time-outs without waiting: every wait inside hapax goes through it.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch. May jump. */
  now(): number
  /** Milliseconds from an arbitrary start. Never goes back. */
  monotonic(): number
  /** Calls `callback` once, `delayMs` from now. Must not keep the process alive. */
  setTimer(callback: () => void, delayMs: number): Timer
}

/** The clock of this machine. Its timers are unref'd, so they never hold up the end of the process. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, delayMs)
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
}
