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
    let timer: NodeJS.Timeout
    const arm = (leftMs: number) => {
      const stepMs = Math.min(leftMs, longestStepMs)
      timer = setTimeout(() => (stepMs < leftMs ? arm(leftMs - stepMs) : callback()), stepMs)
      timer.unref()
    }
    arm(delayMs)
    return { cancel: () => clearTimeout(timer) }
  },
}

/** setTimeout() fires at once for a longer delay, and a heartbeat that is due next month would spin. */
const longestStepMs = 2 ** 31 - 1
