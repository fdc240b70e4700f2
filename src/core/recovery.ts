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
  const finished = await lease.conclude(verdict)
  // Someone else took over while the function ran: only they know.
  return finished === 'withheld' ? { kind: 'refuse' } : { kind: 'response', response: verdict }
}

async function askSafely(
  ask: Reconcile,
  lease: Lease,
  takeover: Takeover,
  events: Events,
): Promise<StoredResponse | 'rerun' | 'refuse'> {
  const { key, scope, about, signal } = lease
  try {
    const { attempt } = lease.held
    const { steps } = lease
    const undo = (name: string) => steps.undo(name)
    const verdict = await ask({ key, scope, attempt, takeover, signal, steps: steps.earlier, undo })
    if (!isVerdict(verdict)) throw new TypeError(wrongVerdict)
    const kind = typeof verdict === 'string' ? verdict : 'response'
    events.emit({ ...about, type: 'reconciled', verdict: kind })
    return verdict
  } catch (error) {
    events.emit({ ...about, type: 'reconciled', verdict: 'threw', error })
    return 'refuse'
  }
}

/** What the application returned can't be trusted: to record it as it is could wedge the key or answer nonsense. */
function isVerdict(verdict: unknown): verdict is StoredResponse | 'rerun' | 'refuse' {
  if (verdict === 'rerun' || verdict === 'refuse') return true
  return (
    typeof verdict === 'object' &&
    verdict !== null &&
    'status' in verdict &&
    Number.isInteger(verdict.status) &&
    Number(verdict.status) >= 200 &&
    Number(verdict.status) <= 599
  )
}

const wrongVerdict = 'The "recovery" function must return an answer with a status, "rerun" or "refuse".'
