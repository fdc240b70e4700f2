import { type Clock, systemClock } from '../../core/clock.ts'
import type { Store } from '../../core/store.ts'

type Verb = 'claim' | 'renew' | 'complete' | 'release' | 'abandon'

/** A real store with something done before some of its verbs. */
export function storeWith(inner: Store, before: Partial<Record<Verb, () => void | Promise<void>>>): Store {
  const watch = inner.watch?.bind(inner)
  return {
    name: inner.name,
    durable: inner.durable,
    async claim(request) {
      await before.claim?.()
      return inner.claim(request)
    },
    async renew(leases) {
      await before.renew?.()
      return inner.renew(leases)
    },
    async complete(lease, outcome) {
      await before.complete?.()
      return inner.complete(lease, outcome)
    },
    async release(lease, options) {
      await before.release?.()
      return inner.release(lease, options)
    },
    async abandon(id, owner) {
      await before.abandon?.()
      return inner.abandon(id, owner)
    },
    recordStep: (lease, change) => inner.recordStep(lease, change),
    ...(watch !== undefined && { watch }),
    ...(inner.inspect !== undefined && { inspect: inner.inspect }),
    close: () => inner.close(),
  }
}

/** A real store that counts how often each verb is called. */
export function countingStore(inner: Store): { store: Store; calls: Record<Verb, number>; total(): number } {
  const calls: Record<Verb, number> = { claim: 0, renew: 0, complete: 0, release: 0, abandon: 0 }
  const count = (verb: Verb) => (): void => void (calls[verb] += 1)
  const store = storeWith(inner, {
    claim: count('claim'),
    renew: count('renew'),
    complete: count('complete'),
    release: count('release'),
    abandon: count('abandon'),
  })
  return { store, calls, total: () => Object.values(calls).reduce((sum, times) => sum + times, 0) }
}

/**
 * The clock of a process that is stopped: time goes on, its timers do not fire. An engine with it never
 * renews a lease, as if its machine hung.
 */
export const stoppedProcessClock: Clock = { ...systemClock, setTimer: () => ({ cancel: () => {} }) }
