import type { HttpSettings } from '../options.ts'

/**
 * The settings of a function that ends at a known time: a claim is not said to live longer than the function, nor
 * a duplicate made to wait longer.
 */
export function boundedByRemaining<Event>(
  settings: HttpSettings<Event>,
  remainingMs: (event: Event) => number,
): HttpSettings<Event> {
  const atMost =
    (setting: (event: Event) => number) =>
    (event: Event): number =>
      Math.max(leastMs, Math.min(setting(event), remainingMs(event)))
  return {
    ...settings,
    lease: atMost(settings.lease),
    maxRun: atMost(settings.maxRun),
    concurrent(event) {
      const concurrent = settings.concurrent(event)
      if (concurrent.kind !== 'wait') return concurrent
      return { kind: 'wait', waitMs: Math.max(1, Math.min(concurrent.waitMs, remainingMs(event) - answerMs)) }
    },
  }
}

/** The shortest lease that the option allows. */
const leastMs = 10
/** What is left of the function's time to say that the wait was in vain. */
const answerMs = 500
