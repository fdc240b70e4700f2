import type { Fingerprint } from '../protocol/fingerprint.ts'
import { IdempotencyError } from './errors.ts'
import { type Disposition, dispositionOf, type Verdict } from './disposition.ts'
import type { Events } from './events.ts'
import type { TransactionRequest } from './journal.ts'
import type { StepRecord, StoredResponse } from './record.ts'
import type { RenewableLease } from './renewals.ts'
import { type StepKeeper, Steps } from './steps.ts'
import type { HeldLease, StepChange, Takeover, WriteResult } from './store.ts'
import type { FinalWrite } from './unacknowledged.ts'

/**
 * How a run ended for its record.
 * `recorded`, `released`: the store has it. `deferred`: the store is down and the engine goes on trying, so
 * the client may be told the truth. `withheld`: another run took over, or met a step of which nobody knows the end;
 * this answer must not be told.
 */
export type Finished = 'recorded' | 'released' | 'deferred' | 'withheld'

/** What a lease needs from the engine that granted it. */
export interface LeaseKeeper {
  readonly events: Events
  nowMs(): number
  write(lease: Lease, write: FinalWrite): Promise<WriteResult | 'deferred'>
  recordStep(held: HeldLease, change: StepChange): Promise<WriteResult>
  transact(held: HeldLease, name: string, request: TransactionRequest): Promise<WriteResult>
  /** The digests as they are stored: under a secret, where there is one. */
  keyed(fingerprint: Fingerprint): Fingerprint
}

export interface LeaseDetails {
  readonly held: HeldLease
  readonly key: string
  readonly scope: string
  readonly maxRunMs: number
  readonly takeover: Takeover | undefined
  /** What earlier attempts left. */
  readonly steps: readonly StepRecord[]
}

/** The right to run the handler for one record, and to write its one outcome. */
export class Lease implements RenewableLease, StepKeeper {
  readonly held: HeldLease
  readonly key: string
  readonly scope: string
  readonly maxRunMs: number
  readonly takeover: Takeover | undefined
  /** Set by the handler; overrules the built-in rules and the `keep` option. */
  verdict: Verdict | undefined
  recording = false
  readonly #keeper: LeaseKeeper
  readonly #startedMs: number
  #controller: AbortController | undefined
  #lost: IdempotencyError | undefined
  #announced = false
  /** Made when the handler asks for it, unless there is something to remember. */
  #steps: Steps | undefined
  #finished: Promise<Finished> | undefined

  constructor(keeper: LeaseKeeper, details: LeaseDetails) {
    this.#keeper = keeper
    this.held = details.held
    this.key = details.key
    this.scope = details.scope
    this.maxRunMs = details.maxRunMs
    this.takeover = details.takeover
    this.#startedMs = keeper.nowMs()
    if (details.steps.length > 0) this.#steps = new Steps(this, details.steps)
  }

  get events(): Events {
    return this.#keeper.events
  }

  get lost(): IdempotencyError | undefined {
    return this.#lost
  }

  get answered(): boolean {
    return this.#finished !== undefined
  }

  get steps(): Steps {
    this.#steps ??= new Steps(this, [])
    return this.#steps
  }

  /** Aborts when the lease is lost, with an {@link IdempotencyError} of code `outcome-unknown`. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#lost !== undefined) this.#controller.abort(this.#lost)
    }
    return this.#controller.signal
  }

  get about(): { id: string; key: string; scope: string } {
    return { id: this.held.id, key: this.key, scope: this.scope }
  }

  get ageMs(): number {
    return this.#keeper.nowMs() - this.#startedMs
  }

  /**
   * Records the answer, or releases the key where the rules say so. Call once, before the last byte of the
   * answer leaves; a second call returns the first one's result.
   */
  finish(response: StoredResponse, verdict?: Verdict): Promise<Finished> {
    const chosen = this.verdict ?? verdict
    this.#finished ??=
      this.#steps === undefined
        ? this.#record(response, this.#dispositionOf(response, chosen, false))
        : this.#finishSteps(this.#steps, response, chosen)
    return this.#finished
  }

  /** Records what `recovery` found out about an earlier attempt. */
  conclude(response: StoredResponse): Promise<Finished> {
    const { recovery } = this.held.policy
    this.#finished ??= this.#record(response, dispositionOf(response.status, recovery, 'keep', true))
    return this.#finished
  }

  /** Records that nobody knows whether the effect happened. */
  async finishUnknown(): Promise<void> {
    this.#finished ??= this.#finishUnknown()
    await this.#finished
  }

  recordStep(change: StepChange): Promise<WriteResult> {
    return this.#keeper.recordStep(this.held, change)
  }

  transact(name: string, request: TransactionRequest): Promise<WriteResult> {
    return this.#keeper.transact(this.held, name, request)
  }

  keyed(fingerprint: Fingerprint): Fingerprint {
    return this.#keeper.keyed(fingerprint)
  }

  onStale(): void {
    // The final write is on its way and will learn the same; a release that landed first also ends renewals.
    if (!this.recording) this.announceLoss()
  }

  /** A later token exists: says so once, and stops the handler if it still runs. */
  announceLoss(): void {
    if (this.#announced) return
    this.#announced = true
    this.#keeper.events.emit({ ...this.about, type: 'lease-lost', token: this.held.token })
    this.#lose('Another run took over this idempotency key.')
  }

  onOverdue(): void {
    if (this.held.policy.recovery === 'refuse') return
    this.#lose('The lease of this idempotency key could not be renewed in time; another run may take over.')
  }

  onRunExceeded(): void {
    this.#keeper.events.emit({ ...this.about, type: 'run-exceeded', durationMs: this.ageMs })
  }

  async #finishSteps(
    steps: Steps,
    response: StoredResponse,
    verdict: Verdict | undefined,
  ): Promise<Finished> {
    await steps.settled()
    if (steps.metUnknown) {
      await this.#finishUnknown()
      return 'withheld'
    }
    steps.reportUnvisited()
    return this.#record(response, this.#dispositionOf(response, verdict, steps.began))
  }

  #dispositionOf({ status }: StoredResponse, verdict: Verdict | undefined, stepBegan: boolean): Disposition {
    return dispositionOf(status, this.held.policy.recovery, verdict, stepBegan)
  }

  // Not an async function: each request passes here.
  #record(response: StoredResponse, disposition: Disposition): Promise<Finished> {
    if (disposition.kind === 'release') return this.#release(disposition)
    const { failed } = disposition
    return this.#write({ kind: 'complete', outcome: { kind: 'response', failed, response } }).then(
      (result) => {
        if (result !== 'written') return this.#unwritten(result)
        if (this.events.heard) this.#tellCompleted(response, failed)
        return 'recorded'
      },
    )
  }

  async #release(disposition: Extract<Disposition, { kind: 'release' }>): Promise<Finished> {
    const result = await this.#write(disposition)
    if (result !== 'written') return this.#unwritten(result)
    this.events.emit({ ...this.about, ...disposition, type: 'released', durationMs: this.ageMs })
    return 'released'
  }

  #tellCompleted(response: StoredResponse, failed: boolean): void {
    const tombstone = response.kind === 'tombstone' ? { tombstone: response.reason } : {}
    const { status } = response
    const { about, ageMs: durationMs } = this
    this.events.emit({ ...about, type: 'completed', status, failed, ...tombstone, durationMs })
  }

  async #finishUnknown(): Promise<Finished> {
    const result = await this.#write({ kind: 'complete', outcome: { kind: 'unknown' } })
    return result === 'written' ? 'recorded' : this.#unwritten(result)
  }

  #write(write: FinalWrite): Promise<WriteResult | 'deferred'> {
    this.recording = true
    return this.#keeper.write(this, write)
  }

  #unwritten(result: 'stale' | 'deferred'): Finished {
    if (result === 'deferred') return 'deferred'
    this.announceLoss()
    return 'withheld'
  }

  #lose(reason: string): void {
    this.#lost ??= new IdempotencyError('outcome-unknown', reason)
    this.#controller?.abort(this.#lost)
  }
}
