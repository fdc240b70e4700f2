import { retryAfterMs } from './retry-after.ts'
import type { RetrySettings } from './options.ts'
import { type AnswerView, judge } from './verdict.ts'

const baseDelayMs = 300
const longestDelayMs = 10_000
const usualRunMs = 1000
/** Longer timers fire at once. */
const longestTimerMs = 2 ** 31 - 1

/** Decides after each attempt of one request whether, and when, the next follows. */
export class Schedule {
  readonly #settings: RetrySettings
  readonly #supported: () => boolean
  readonly #endsAtMs: number
  #retries = 0

  /** @param supported Whether the server is known to honour keys, or need not. */
  constructor(settings: RetrySettings, supported: () => boolean) {
    this.#settings = settings
    this.#supported = supported
    this.#endsAtMs = performance.now() + settings.deadlineMs
  }

  get leftMs(): number {
    return Math.max(0, this.#endsAtMs - performance.now())
  }

  get attemptMs(): number {
    return Math.min(this.#settings.attemptTimeoutMs, this.leftMs, longestTimerMs)
  }

  /** How long to wait before the next attempt; undefined for an answer that is final. */
  afterAnswer(answer: AnswerView): number | undefined {
    const verdict = judge(answer)
    if (verdict === 'final') return undefined
    const asked = retryAfterMs(answer.header('retry-after'), answer.header('date'))
    if (verdict === 'again') return this.#retry(asked)
    return this.#within((asked ?? usualRunMs) + jitter(baseDelayMs))
  }

  /** The same where no answer came. */
  afterFailure(): number | undefined {
    return this.#retry(undefined)
  }

  #retry(askedMs: number | undefined): number | undefined {
    if (this.#retries >= this.#settings.retries) return undefined
    this.#retries += 1
    // Full jitter. A server that names a time names the same to everybody, so that needs some too.
    const delayMs =
      askedMs === undefined
        ? jitter(Math.min(longestDelayMs, baseDelayMs * 2 ** (this.#retries - 1)))
        : askedMs + jitter(baseDelayMs)
    return this.#within(delayMs)
  }

  #within(delayMs: number): number | undefined {
    return delayMs < this.leftMs && this.#supported() ? delayMs : undefined
  }
}

function jitter(mostMs: number): number {
  return Math.random() * mostMs
}
