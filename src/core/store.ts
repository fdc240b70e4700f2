import type { Fingerprint } from '../protocol/fingerprint.ts'
import type {
  IdempotencyRecord,
  RecordLabel,
  RecordPolicy,
  RecordState,
  StepRecord,
  StoredResponse,
} from './record.ts'

/**
 * Where records live. Each verb is one atomic operation on the store's own clock; no verb may read and
 * then write in two steps. Every write after the claim carries the claim's fencing token and is refused
 * when a later token exists. The rules are the pure functions of `transitions.ts`; `testStore` in
 * `hapax/testing` holds an implementation to them.
 *
 * A verb that can't be carried out rejects; the engine then answers 503 and does not run the handler.
 */
export interface Store {
  /** A word for events and messages: `memory`, `sqlite`. */
  readonly name: string
  /** False for a store that forgets everything when the process ends. */
  readonly durable: boolean

  claim(request: ClaimRequest): Promise<ClaimResult>
  /** Extends many leases in one batch; results stand in the order of `leases`. */
  renew(leases: readonly HeldLease[]): Promise<readonly RenewResult[]>
  complete(lease: HeldLease, outcome: Outcome): Promise<WriteResult>
  /** `clean`: nothing happened in this attempt. */
  release(lease: HeldLease, options: { readonly clean: boolean }): Promise<WriteResult>
  /** Undoes a claim whose reply never arrived. Does nothing unless `owner` holds the record and it runs. */
  abandon(id: string, owner: string): Promise<void>

  /**
   * Writes what became of one step, by its name: in the place of what stood there, or behind the others. A
   * result that finds no room is dropped (`not-kept`); a mark that a step begins and finds none rejects.
   */
  recordStep(lease: HeldLease, change: StepChange): Promise<WriteResult>

  /**
   * Calls `listener` after any change of the record, by any process. May call it too often, never too
   * seldom but for a lost connection: callers also poll. Resolves once the subscription is live.
   */
  watch?(id: string, listener: () => void): Promise<Unsubscribe>
  readonly inspect?: Inspection

  /** Closes what the store opened itself, and nothing that it was given. May be called twice. */
  close(): Promise<void>
}

export type Unsubscribe = () => void

export interface ClaimRequest {
  readonly id: string
  /** Fresh for each request, and the same when the same claim is sent again. */
  readonly owner: string
  readonly fingerprint: Fingerprint
  readonly policy: RecordPolicy
  readonly leaseMs: number
  readonly label?: RecordLabel
}

export type ClaimResult =
  | ClaimedResult
  | {
      readonly kind: 'completed'
      readonly failed: boolean
      readonly response: StoredResponse
      readonly expiresInMs: number
    }
  | { readonly kind: 'running'; readonly ageMs: number; readonly leaseLeftMs: number }
  | { readonly kind: 'mismatch' }
  /** The record's fingerprint and the request's share no kind: nobody can tell whether they agree. */
  | { readonly kind: 'incomparable' }
  /** An attempt ended without a known outcome, and no takeover is allowed. */
  | { readonly kind: 'lapsed' }
  /** The record is corrupt or was written by a newer release. It is never treated as absent. */
  | { readonly kind: 'unreadable'; readonly reason: string }

export interface ClaimedResult {
  readonly kind: 'claimed'
  readonly token: number
  readonly attempt: number
  /** Absent on a first run and after a clean release. */
  readonly takeover?: Takeover
  /** What earlier attempts left, in the order in which the steps began. Absent where there are none. */
  readonly steps?: readonly StepRecord[]
}

/** What the claim took over from. */
export type Takeover =
  | { readonly of: 'lapsed' | 'unknown' | 'released' }
  | { readonly of: 'failed'; readonly response: StoredResponse }

/** Everything a store needs to write for the holder of a claim, even if it forgot the record. */
export interface HeldLease extends ClaimRequest {
  readonly token: number
  readonly attempt: number
  readonly takeover: boolean
}

/** `undone`: the step had no effect, and is as good as never begun. */
export type StepChange = StepRecord | { readonly state: 'undone'; readonly name: string }

export type RenewResult = 'renewed' | 'stale'

/** `stale`: a later token exists, or the claim was released. Nothing was written. */
export type WriteResult = 'written' | 'stale'

export type Outcome =
  | { readonly kind: 'response'; readonly failed: boolean; readonly response: StoredResponse }
  | { readonly kind: 'unknown' }

/** For operators: reads records and settles those that are stuck. Off the hot path. */
export interface Inspection {
  list(query: InspectQuery): Promise<InspectPage>
  get(id: string): Promise<InspectedRecord | undefined>
  /** Deletes the record, readable or not; the key then counts as new. Resolves to whether it existed. */
  forget(id: string): Promise<boolean>
  /** Gives a record without a live lease a definite end, under a new token that shuts out late owners. */
  settle(id: string, resolution: Resolution): Promise<SettleResult>
}

export interface InspectQuery {
  /** Only records in these states; `lapsed` means running with its lease over. Default: all. */
  readonly states?: readonly InspectState[]
  readonly limit: number
  /** From the page before. */
  readonly cursor?: string
}

export interface InspectPage {
  readonly records: readonly InspectedRecord[]
  /** Present when there may be more. */
  readonly cursor?: string
}

export type InspectState = RecordState | 'lapsed' | 'unreadable'

export type InspectedRecord =
  | { readonly id: string; readonly state: RecordState | 'lapsed'; readonly record: IdempotencyRecord }
  | { readonly id: string; readonly state: 'unreadable'; readonly reason: string }

export type Resolution =
  | { readonly kind: 'release' }
  | { readonly kind: 'response'; readonly response: StoredResponse }

/** `completed`: a good outcome was recorded, and at most one ever is. `running`: its owner is alive. */
export type SettleResult = 'settled' | 'absent' | 'running' | 'completed' | 'unreadable'
