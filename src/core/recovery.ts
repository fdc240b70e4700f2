import type { Events } from './events.ts'
import type { Lease } from './lease.ts'
import type { StoredResponse } from './record.ts'
import type { Reconcile } from './settings.ts'
import type { Takeover } from './store.ts'

export type Recovered =
  | { readonly kind: 'response'; readonly response: StoredResponse }
  | { readonly kind: 'rerun' }
  | { readonly kind: 'refuse' }

/**
 * Asks the application what became of an earlier attempt, under the lease of the takeover, so that others see
 * the key in progress meanwhile.
 */
export async function reconcile(
  ask: Reconcile,
  lease: Lease,
  takeover: Takeover,
  events: Events,
): Promise<Recovered> {
  const verdict = await askSafely(ask, lease, takeover, events)
  if (verdict === 'rerun') return { kind: 'rerun' }
  if (verdict === 'refuse') {
    await lease.finishUnknown()
    return { kind: 'refuse' }
  }
  const finished = await lease.finish(verdict, 'keep')
  // Someone else took over while the function ran: only they know.
  return finished === 'stale' ? { kind: 'refuse' } : { kind: 'response', response: verdict }
}

async function askSafely(
  ask: Reconcile,
  lease: Lease,
  takeover: Takeover,
  events: Events,
): Promise<StoredResponse | 'rerun' | 'refuse'> {
  const { key, scope, about, signal } = lease
  try {
    const verdict = await ask({ key, scope, attempt: lease.held.attempt, takeover, signal })
    const kind = typeof verdict === 'string' ? verdict : 'response'
    events.emit({ ...about, type: 'reconciled', verdict: kind })
    return verdict
  } catch {
    events.emit({ ...about, type: 'reconciled', verdict: 'threw' })
    return 'refuse'
  }
}
