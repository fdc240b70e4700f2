import type { Problem } from '../protocol/problem.ts'
import type { Lease } from './lease.ts'
import type { KeptResponse } from './record.ts'

/** What the engine tells an adapter to do. Adapters translate it and add no rule of their own. */
export type Decision =
  /** Run the handler under this lease, and finish the lease with its answer. */
  | { readonly kind: 'proceed'; readonly lease: Lease }
  | { readonly kind: 'replay'; readonly response: KeptResponse; readonly expiresAtMs: number }
  /** `expiresAtMs` is absent where no record was reached. */
  | { readonly kind: 'reject'; readonly problem: Problem; readonly expiresAtMs?: number }
  /** The store is down and the route chose to run unprotected. */
  | { readonly kind: 'bypass' }
