// What an observer outside hapax sees: requests, answers and effects; and what the outside did to it. The
// checker imports nothing of hapax, so that it can't share a mistake with what it judges.

export type HistoryEntry = { readonly atMs: number } & Happening

export type Happening =
  | {
      readonly kind: 'request'
      readonly request: number
      readonly client: string
      readonly key: string
      readonly payload: string
    }
  /** The handler starts. `token` is the fencing token that it was given; 0 where it runs unprotected. */
  | {
      readonly kind: 'run'
      readonly run: number
      readonly request: number
      readonly process: string
      readonly token: number
      /** What the route that runs it says about running again. */
      readonly recovery: Recovery
    }
  /** The function of `recovery` was asked and said this. */
  | { readonly kind: 'asked'; readonly request: number; readonly verdict: 'found' | 'rerun' | 'refuse' }
  | { readonly kind: 'effect'; readonly run: number }
  /** What the run's step or transaction told its handler: which run's effect stands, 0 where it was rolled back. */
  | { readonly kind: 'told'; readonly run: number; readonly paidBy: number }
  /** `nothing`: the handler says that nothing happened. `failed`: after an error, effects may have happened. */
  | { readonly kind: 'ended'; readonly run: number; readonly how: 'good' | 'failed' | 'nothing' }
  | Answer
  /** Somebody deleted the record of a key, or settled it by hand. */
  | { readonly kind: 'settled'; readonly key: string; readonly how: 'released' | 'answered' | 'deleted' }
  /** The journal deleted a key that was over. */
  | { readonly kind: 'cleaned'; readonly key: string }
  /** The store lost all records. */
  | { readonly kind: 'forgot' }
  /** `closing`: it was told to end, and takes no more requests. */
  | { readonly kind: 'crashed' | 'started' | 'closing'; readonly process: string }

export type Answer = {
  readonly kind: 'answer'
  readonly request: number
  readonly process: string
  /** How long hapax took to refuse, or to answer once the handler had ended. Absent if its process was stopped. */
  readonly tookMs?: number
} & (
  | {
      readonly says: 'answered'
      /** Of which run this is the answer, as its body tells. */
      readonly run: number
      readonly how: 'good' | 'failed' | 'nothing'
      readonly replayed: boolean
      /** False where hapax said that it could not record the answer yet. */
      readonly recorded: boolean
    }
  | { readonly says: Refusal }
)

export type Refusal =
  | 'in-progress'
  | 'outcome-unknown'
  | 'key-reused'
  | 'store-unavailable'
  | 'response-not-kept'

export type Recovery = 'refuse' | 'reconcile' | 'rerun'

/** What was promised in this world. */
export interface Terms {
  /** Some route has a function that finds out what became of an earlier attempt. */
  readonly reconciles: boolean
  readonly leaseMs: number
  readonly maxRunMs: number
  readonly storeTimeoutMs: number
  readonly waitMs: number
  /** The shorter of the two retentions. */
  readonly retainMs: number
  /** No message was late or lost, no process stalled or died, no clock moved. */
  readonly calm: boolean
  /** Every message arrives once, and well within a lease, or never; and no process stalled or died. */
  readonly gentle: boolean
  /** A store that is down lets requests run unprotected. */
  readonly bypass: boolean
  /** Effects are steps: one that began is never begun again. */
  readonly steps: boolean
  /** Where steps are remembered: with the record, or in a database that does not forget what the store forgets. */
  readonly journal: 'none' | 'steps' | 'transactions'
  /** For how long the journal remembers a key, counted from its last opening. */
  readonly keepMs: number
  /** How late a message can be. */
  readonly lateMs: number
  /** How far the store's clock was put forward, in all. */
  readonly forwardMs: number
  /** How long machines slept, in all, and their monotonic clocks with them. */
  readonly sleptMs: number
}

export interface Violation {
  readonly promise: string
  readonly key: string
  readonly details: string
}
