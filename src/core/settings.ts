import type { Clock } from './clock.ts'
import type { EarlierSteps } from './earlier-steps.ts'
import type { EventListener } from './events.ts'
import type { Journal } from './journal.ts'
import type { Logger, MisuseCode } from './misuse.ts'
import type { RecordPolicy, StoredResponse } from './record.ts'
import type { Sealing } from './sealing.ts'
import type { Store, Takeover, Unsubscribe } from './store.ts'
import type { Fingerprint } from '../protocol/fingerprint.ts'

/** What an engine runs with: every option resolved and checked. */
export interface EngineSettings {
  readonly store: Store
  readonly journal: Journal | undefined
  readonly sealing: Sealing
  readonly clock: Clock
  readonly storeTimeoutMs: number
  readonly onStoreError: 'reject' | 'bypass'
  readonly storeKeys: boolean
  readonly maxWaiters: number
  readonly logger: Logger
  readonly silence: readonly MisuseCode[]
  readonly on: EventListener | undefined
}

/** Whom a key belongs to; `false`: all callers share one key space. */
export type Scope = string | number | false

/** What one call runs with: the options that may differ from request to request, resolved. */
export interface CallSettings {
  readonly policy: RecordPolicy
  /** Present exactly when `policy.recovery` is `'reconcile'`. */
  readonly reconcile?: Reconcile
  readonly leaseMs: number
  readonly maxRunMs: number
  readonly concurrent: Concurrent
}

export type Concurrent = { readonly kind: 'reject' } | { readonly kind: 'wait'; readonly waitMs: number }

/** Finds out what became of an earlier attempt. A throw counts as `'refuse'`. */
export type Reconcile = (context: ReconcileContext) => Promise<StoredResponse | 'rerun' | 'refuse'>

export interface ReconcileContext extends EarlierSteps {
  readonly key: string
  readonly scope: string
  /** The attempt that would run now: 2 or more. */
  readonly attempt: number
  readonly takeover: Takeover
  readonly signal: AbortSignal
}

/** One request, as the engine sees it. */
export interface Call {
  readonly key: string
  readonly scope: Scope
  readonly fingerprint: Fingerprint
  readonly settings: CallSettings
  /** Calls `listener` when the caller has left, so that it need not be kept waiting. */
  onGone?(listener: () => void): Unsubscribe
}
