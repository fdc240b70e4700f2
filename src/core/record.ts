import type { Fingerprint } from '../protocol/fingerprint.ts'

/** Header or trailer fields in the order they were sent; a name may stand more than once. */
export type HeaderList = ReadonlyArray<readonly [name: string, value: string]>

/** The answer of a finished run, as it is kept and replayed. */
export type StoredResponse = KeptResponse | Tombstone

export interface KeptResponse {
  readonly kind: 'kept'
  readonly status: number
  readonly headers: HeaderList
  readonly trailers?: HeaderList
  /** The body's bytes, in the coding that the `content-encoding` header names. */
  readonly body: Uint8Array
}

/** Stands for an answer whose body could not be kept: the handler ran, and must not run again. */
export interface Tombstone {
  readonly kind: 'tombstone'
  readonly status: number
  readonly location?: string
  readonly reason: TombstoneReason
}

export type TombstoneReason = 'too-large' | 'cut-short' | 'not-serializable' | 'store-refused'

/**
 * What may happen to a record whose outcome nobody knows.
 * `reconcile`: a function of the application finds out. `rerun`: the handler is safe to run again.
 */
export type RecoveryMode = 'refuse' | 'reconcile' | 'rerun'

/** Written into the record by its claim, so that a deploy with another policy can't reinterpret it. */
export interface RecordPolicy {
  readonly recovery: RecoveryMode
  /** How long a completed record answers. */
  readonly retainMs: number
  /** How long a record whose outcome is unknown is kept, counted from the end of its lease. */
  readonly retainUnknownMs: number
}

/** What is remembered of one step of a handler: `step(name, fn)`. */
export type StepRecord = BegunStep | FinishedStep

/** It began, and nobody knows whether it had its effect. */
export interface BegunStep {
  readonly state: 'begun'
  readonly name: string
  /** Whether it may run again: what it calls takes the same key twice for one effect. */
  readonly safe: boolean
  /** Digest of the step's input, where it gave one. */
  readonly input?: string
}

export interface FinishedStep {
  readonly state: 'finished'
  readonly name: string
  readonly input?: string
  readonly result: StepResult
}

/** `not-kept`: it ran, but what it returned is not JSON, or too large, or found no room. */
export type StepResult =
  | { readonly kind: 'json'; readonly json: string }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'not-kept' }

/** The raw key and scope, kept beside the record's digest for operators to read. */
export interface RecordLabel {
  readonly key: string
  readonly scope: string
}

interface RecordBase {
  /** SHA-256 of scope and key. */
  readonly id: string
  /** The request (one HTTP request or one `run`) that claimed last. */
  readonly owner: string
  /** The fencing token: only the holder of the latest may write. */
  readonly token: number
  /** 1 for the first run of this key, one more for each claim after a release or a takeover. */
  readonly attempt: number
  readonly policy: RecordPolicy
  readonly label?: RecordLabel
  /** On the store's clock, as every time in a record. After this moment the key counts as new. */
  readonly expiresAtMs: number
}

export interface RunningRecord extends RecordBase {
  readonly state: 'running'
  readonly fingerprint: Fingerprint
  readonly claimedAtMs: number
  /** Past this moment the record is *lapsed*: its owner may be dead, or only late. */
  readonly leaseUntilMs: number
  /** True if an earlier attempt ended without a known outcome. */
  readonly takeover: boolean
  readonly steps?: readonly StepRecord[]
}

/** Claimable at once. Keeps owner and token, so that a late renewal can't bring it back. */
export type ReleasedRecord = CleanlyReleasedRecord | UncleanlyReleasedRecord

/** Nothing happened in any attempt, so the key may even carry another request. */
export interface CleanlyReleasedRecord extends RecordBase {
  readonly state: 'released'
  readonly fingerprint: null
}

/** An attempt may have had effects: recovery decides who may claim. */
export interface UncleanlyReleasedRecord extends RecordBase {
  readonly state: 'released'
  readonly fingerprint: Fingerprint
  readonly steps?: readonly StepRecord[]
}

export interface CompletedRecord extends RecordBase {
  readonly state: 'completed'
  readonly fingerprint: Fingerprint
  readonly completedAtMs: number
  /** A failure that was kept because effects may have happened. It is replayed, and needs attention. */
  readonly failed: boolean
  readonly response: StoredResponse
  /** Kept with a failure only: what `recovery` may let run again must not repeat them. */
  readonly steps?: readonly StepRecord[]
}

/** Nobody can know whether the effect happened. */
export interface UnknownRecord extends RecordBase {
  readonly state: 'unknown'
  readonly fingerprint: Fingerprint
  readonly sinceMs: number
  readonly steps?: readonly StepRecord[]
}

/** What a store remembers of one (scope, key). */
export type IdempotencyRecord = RunningRecord | ReleasedRecord | CompletedRecord | UnknownRecord

export type RecordState = IdempotencyRecord['state']

/** Since when a record is in its state; null where it does not say. */
export function sinceMsOf(record: IdempotencyRecord): number | null {
  switch (record.state) {
    case 'running':
      return record.claimedAtMs
    case 'completed':
      return record.completedAtMs
    case 'unknown':
      return record.sinceMs
    case 'released':
      return null
  }
}
