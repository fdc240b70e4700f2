import type { HeldLease } from '../core/store.ts'
import { compareFingerprints, type Fingerprint } from '../protocol/fingerprint.ts'

/** What a journal keeps of one key beside its steps. */
export interface Head {
  /** Of the last attempt that was let in. */
  readonly token: number
  readonly fingerprint: Fingerprint
  /** Nothing but a request like the first is bound to it any more. */
  readonly isOver: boolean
}

/**
 * Whether a lease may open the journal that has this head.
 * `renewed`: it is over, and belonged to another request; its steps go, and the key begins anew.
 */
export type Verdict = 'opened' | 'stale' | 'mismatch' | 'incomparable' | 'renewed'

export function judge(head: Head, lease: HeldLease): Verdict {
  if (head.token > lease.token) return 'stale'
  switch (compareFingerprints(head.fingerprint, lease.fingerprint)) {
    case 'same':
      return 'opened'
    case 'different':
      return head.isOver ? 'renewed' : 'mismatch'
    case 'incomparable':
      return head.isOver ? 'renewed' : 'incomparable'
  }
}
