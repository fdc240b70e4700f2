import { randomUUID } from 'node:crypto'
import { recordId } from '../protocol/identity.ts'
import type { ProblemCode } from '../protocol/codes.ts'
import { createProblem, type Problem } from '../protocol/problem.ts'
import { AbandonedClaims } from './abandoned.ts'
import { Deadline, DeadlineExceeded } from './deadline.ts'
import type { Decision } from './decision.ts'
import { IdempotencyError } from './errors.ts'
import { Events, type StoreOperation } from './events.ts'
import { Heartbeat } from './heartbeat.ts'
import { keepProcessAlive } from './keep-alive.ts'
import { Lease, type LeaseKeeper } from './lease.ts'
import { Misuse, safely } from './misuse.ts'
import type { Journal, JournalOpening } from './journal.ts'
import type { StepRecord, StoredResponse } from './record.ts'
import { reconcile } from './recovery.ts'
import { Renewals } from './renewals.ts'
import type { Call, EngineSettings } from './settings.ts'
import { attach, detach } from './shared-store.ts'
import type {
  ClaimedResult,
  ClaimRequest,
  ClaimResult,
  HeldLease,
  StepChange,
  Store,
  Unsubscribe,
  WriteResult,
} from './store.ts'
import { type FinalWrite, UnacknowledgedWrites } from './unacknowledged.ts'
import { UnfinishedWork } from './unfinished.ts'
import { Waiting } from './waiting.ts'

/** Decides what becomes of a keyed request: the only place where the protocol is carried out. */
export class Engine implements LeaseKeeper {
  readonly events: Events
  readonly misuse: Misuse
  readonly #settings: EngineSettings
  readonly #store: Store
  readonly #deadline: Deadline
  readonly #renewals: Renewals
  readonly #unacknowledged: UnacknowledgedWrites
  readonly #abandoned: AbandonedClaims
  readonly #heartbeat: Heartbeat
  readonly #waiting: Waiting
  readonly #unfinished: UnfinishedWork
  #closing: Promise<void> | undefined

  constructor(settings: EngineSettings) {
    const { store, clock } = settings
    this.#settings = settings
    this.#store = store
    const logger = safely(settings.logger)
    this.events = new Events(settings.on, (message) => logger.warn(message))
    this.misuse = new Misuse(logger, settings.silence)
    this.#deadline = new Deadline(clock, settings.storeTimeoutMs)
    this.#renewals = new Renewals(clock, (leases) => this.#bounded('renew', () => store.renew(leases)))
    this.#unacknowledged = new UnacknowledgedWrites(clock, (held, write) => this.#perform(held, write))
    this.#abandoned = new AbandonedClaims(clock, (id, owner) =>
      this.#bounded('abandon', () => store.abandon(id, owner)),
    )
    this.#heartbeat = new Heartbeat(clock, [this.#renewals, this.#unacknowledged, this.#abandoned])
    this.#waiting = new Waiting((id, listener) => this.#watch(id, listener), clock, settings.maxWaiters)
    this.#unfinished = new UnfinishedWork(clock)
    attach(store)
    if (settings.journal !== undefined) attach(settings.journal)
    if (!store.durable && process.env['NODE_ENV'] === 'production') {
      this.misuse.report('memory-store-in-production')
    }
  }

  nowMs(): number {
    return this.#settings.clock.monotonic()
  }

  wallClockMs(): number {
    return this.#settings.clock.now()
  }

  /** Claims the record of `call`, and says what to do. Never rejects for a reason that a store can give. */
  async begin(call: Call): Promise<Decision> {
    const request = this.#claimRequest(call)
    this.#unfinished.begin()
    try {
      return await this.#begin(call, request)
    } finally {
      this.#unfinished.end()
    }
  }

  /**
   * Stops taking claims, lets running handlers finish and their outcomes reach the store, then closes the
   * store if no other engine uses it. After `graceMs` it closes all the same.
   */
  close(options: { graceMs: number }): Promise<void> {
    this.#closing ??= this.#close(options.graceMs)
    return this.#closing
  }

  /** Ends a claim. Answers within the store time-out; a write that was not acknowledged goes on being tried. */
  async write(lease: Lease, write: FinalWrite): Promise<WriteResult | 'deferred'> {
    try {
      const result = await this.#perform(lease.held, write)
      this.#endLease(lease)
      return result
    } catch (error) {
      this.events.emit({ ...lease.about, type: 'record-deferred', error })
      this.#renewals.resume(lease)
      void this.#follow(lease, write.kind, this.#unacknowledged.add(lease.held, write))
      return 'deferred'
    }
  }

  get journal(): Journal | undefined {
    return this.#settings.journal
  }

  recordStep(held: HeldLease, change: StepChange): Promise<WriteResult> {
    const recorder = this.#settings.journal ?? this.#store
    return this.#bounded('step', () => recorder.recordStep(held, change))
  }

  async #begin(call: Call, request: ClaimRequest): Promise<Decision> {
    const sentMs = this.nowMs()
    let result: ClaimResult
    try {
      if (this.#closing !== undefined) throw shuttingDown()
      result = await this.#claim(request)
    } catch (error) {
      return this.#withoutStore(call, request, error)
    }
    return this.#decide(call, request, result, sentMs)
  }

  async #decide(call: Call, request: ClaimRequest, result: ClaimResult, sentMs: number): Promise<Decision> {
    switch (result.kind) {
      case 'claimed':
        return this.#grant(call, request, result, sentMs)
      case 'completed':
        return this.#replay(call, request, result.response, result.expiresInMs, false)
      case 'running':
        return this.#whileRunning(call, request, result.ageMs)
      case 'mismatch':
        return this.#reject(call, request, 'key-reused')
      case 'lapsed':
        return this.#reject(call, request, 'outcome-unknown')
      case 'incomparable':
        return this.#reject(call, request, 'outcome-unknown', { detail: incomparable })
      case 'unreadable':
        return this.#reject(call, request, 'outcome-unknown', { detail: unreadable })
    }
  }

  async #grant(call: Call, request: ClaimRequest, result: ClaimedResult, sentMs: number): Promise<Decision> {
    const { token, attempt, takeover } = result
    const held: HeldLease = { ...request, token, attempt, takeover: takeover !== undefined }
    const journal = this.#settings.journal
    if (journal !== undefined) return this.#openJournal(journal, held, call, result, sentMs)
    return this.#start(call, held, result, result.steps ?? [], sentMs)
  }

  async #openJournal(
    journal: Journal,
    held: HeldLease,
    call: Call,
    result: ClaimedResult,
    sentMs: number,
  ): Promise<Decision> {
    const { policy, maxRunMs } = call.settings
    const keepMs = Math.max(policy.retainMs, policy.retainUnknownMs) + maxRunMs + journalMarginMs
    let opening: JournalOpening
    try {
      opening = await this.#bounded('open-journal', () => journal.open(held, keepMs))
    } catch (error) {
      this.#abandon(held)
      return this.#withoutStore(call, held, error)
    }
    switch (opening.kind) {
      case 'opened':
        return this.#start(call, held, result, opening.steps, sentMs)
      case 'stale':
        // A clock went back, or this claim was replaced already. A later claim has a later token.
        this.#abandon(held)
        return this.#reject(call, held, 'store-unavailable', { detail: journalIsAhead })
      case 'mismatch':
        // The store forgot this key, and the journal did not.
        this.#abandon(held)
        return this.#reject(call, held, 'key-reused')
      case 'incomparable':
        this.#abandon(held)
        return this.#reject(call, held, 'outcome-unknown', { detail: incomparable })
    }
  }

  async #start(
    call: Call,
    held: HeldLease,
    result: ClaimedResult,
    steps: readonly StepRecord[],
    sentMs: number,
  ): Promise<Decision> {
    const { token, attempt, takeover } = result
    const lease = new Lease(this, {
      held,
      key: call.key,
      scope: String(call.scope),
      maxRunMs: call.settings.maxRunMs,
      takeover,
      steps,
    })
    this.#renewals.add(lease, sentMs)
    this.#unfinished.begin()
    this.events.emit({
      ...lease.about,
      type: 'claimed',
      attempt,
      token,
      ...(takeover && { takeover: takeover.of }),
    })
    if (takeover === undefined || call.settings.reconcile === undefined) return { kind: 'proceed', lease }

    const recovered = await reconcile(call.settings.reconcile, lease, takeover, this.events)
    if (recovered.kind === 'rerun') return { kind: 'proceed', lease }
    if (recovered.kind === 'refuse') return this.#reject(call, held, 'outcome-unknown')
    return this.#replay(call, held, recovered.response, held.policy.retainMs, false)
  }

  #replay(
    call: Call,
    request: ClaimRequest,
    response: StoredResponse,
    expiresInMs: number,
    waited: boolean,
  ): Decision {
    const expiresAtMs = this.#settings.clock.now() + expiresInMs
    if (response.kind === 'tombstone') {
      const { status, location, reason } = response
      const extensions = { originalStatus: status, reason, ...(location !== undefined && { location }) }
      return { ...this.#reject(call, request, 'response-not-kept', { extensions }), expiresAtMs }
    }
    const { id } = request
    const about = { id, key: call.key, scope: String(call.scope) }
    this.events.emit({ ...about, type: 'replayed', status: response.status, waited })
    return { kind: 'replay', response, expiresAtMs }
  }

  async #whileRunning(call: Call, request: ClaimRequest, ageMs: number): Promise<Decision> {
    const { concurrent, policy } = call.settings
    if (concurrent.kind === 'reject' || this.#waiting.full) return this.#inProgress(call, request, ageMs)
    let sentMs = this.nowMs()
    const end = await this.#waiting.join({
      id: request.id,
      group: `${request.id} ${policy.recovery} ${request.fingerprint}`,
      waitMs: concurrent.waitMs,
      ageMs,
      claim: () => {
        sentMs = this.nowMs()
        return this.#claim(request)
      },
      abandon: () => this.#abandon(request),
      onGone: (listener) => call.onGone?.(listener) ?? (() => {}),
    })
    switch (end.kind) {
      case 'result':
        if (end.result.kind === 'completed') {
          return this.#replay(call, request, end.result.response, end.result.expiresInMs, true)
        }
        return this.#decide(call, request, end.result, sentMs)
      case 'timed-out':
        return this.#inProgress(call, request, end.ageMs)
      case 'failed':
        return this.#withoutStore(call, request, end.error)
      case 'left':
        return this.#inProgress(call, request, ageMs)
    }
  }

  #inProgress(call: Call, request: ClaimRequest, ageMs: number): Decision {
    // The run's age is the best guess at what is left; a whole lease would make a 200 ms handler cost 30 s.
    const retryAfterSeconds = Math.min(5, Math.max(1, Math.ceil(ageMs / 1000)))
    return this.#reject(call, request, 'in-progress', { retryAfterSeconds })
  }

  #reject(
    call: Call,
    request: ClaimRequest,
    code: ProblemCode,
    overrides?: Parameters<typeof createProblem>[1],
  ): Decision & { kind: 'reject' } {
    const problem: Problem = createProblem(code, overrides)
    this.events.emit({ id: request.id, key: call.key, scope: String(call.scope), type: 'rejected', code })
    if (code === 'store-unavailable') return { kind: 'reject', problem }
    const { retainMs, retainUnknownMs } = request.policy
    const lifetimeMs = code === 'outcome-unknown' ? retainUnknownMs : retainMs
    return { kind: 'reject', problem, expiresAtMs: this.#settings.clock.now() + lifetimeMs }
  }

  #withoutStore(call: Call, request: ClaimRequest, error: unknown): Decision {
    if (this.#closing !== undefined) {
      const detail = 'This server is shutting down. Send the request again.'
      return this.#reject(call, request, 'store-unavailable', { detail })
    }
    if (this.#settings.onStoreError === 'reject') return this.#reject(call, request, 'store-unavailable')
    const about = { id: request.id, key: call.key, scope: String(call.scope) }
    this.events.emit({ ...about, type: 'bypassed', error })
    return { kind: 'bypass' }
  }

  async #claim(request: ClaimRequest): Promise<ClaimResult> {
    this.#unfinished.begin()
    let claiming: Promise<ClaimResult> | undefined
    try {
      const result = await this.#bounded('claim', () => (claiming = this.#store.claim(request)))
      if (result.kind === 'claimed' && this.#closing !== undefined) throw shuttingDown()
      return result
    } catch (error) {
      // The claim may have landed, or land yet.
      this.#abandon(request)
      if (error instanceof DeadlineExceeded)
        claiming?.then((late) => this.#giveBackLate(request, late), ignore)
      throw error
    } finally {
      this.#unfinished.end()
    }
  }

  /** A claim that lay in a driver's queue for longer than a lease lands when nobody abandons it any more. */
  #giveBackLate(request: ClaimRequest, result: ClaimResult): void {
    if (result.kind === 'claimed') this.#abandon(request)
  }

  #abandon({ id, owner, leaseMs }: ClaimRequest): void {
    this.#abandoned.add(id, owner, leaseMs)
  }

  async #watch(id: string, listener: () => void): Promise<Unsubscribe | undefined> {
    try {
      return await this.#store.watch?.(id, listener)
    } catch (error) {
      // Without a subscription waiters poll, which is slower and just as right.
      this.events.emit({ type: 'store-error', operation: 'watch', error })
      return undefined
    }
  }

  #perform(held: HeldLease, write: FinalWrite): Promise<WriteResult> {
    if (write.kind === 'release') {
      return this.#bounded('release', () => this.#store.release(held, { clean: write.clean }))
    }
    return this.#bounded('complete', () => this.#store.complete(held, write.outcome))
  }

  /** Takes the write's kind only: the body of an outcome must not be held here, beyond the bound on them. */
  async #follow(
    lease: Lease,
    kind: FinalWrite['kind'],
    settled: Promise<WriteResult | 'lost'>,
  ): Promise<void> {
    const sinceMs = this.nowMs()
    const result = await settled
    this.#endLease(lease)
    if (result === 'lost') this.events.emit({ ...lease.about, type: 'record-lost' })
    // A release that lost its reply may have landed, and let the key go to the next: that is no loss.
    else if (result === 'stale' && kind === 'complete') lease.announceLoss()
    else this.events.emit({ ...lease.about, type: 'record-recovered', delayMs: this.nowMs() - sinceMs })
  }

  async #bounded<T>(operation: StoreOperation, perform: () => Promise<T>): Promise<T> {
    try {
      return await this.#deadline.bound(perform())
    } catch (error) {
      this.events.emit({ type: 'store-error', operation, error })
      throw error
    }
  }

  #endLease(lease: Lease): void {
    this.#renewals.remove(lease)
    this.#unfinished.end()
  }

  async #close(graceMs: number): Promise<void> {
    const letProcessEnd = keepProcessAlive()
    try {
      this.#waiting.close()
      await this.#unfinished.ended(graceMs)
      this.#unacknowledged.giveUp()
      await this.#deadline.bound(this.#abandoned.close()).catch(ignore)
      this.#heartbeat.stop()
      const { journal } = this.#settings
      if (journal !== undefined && detach(journal)) await this.#bounded('close', () => journal.close())
      if (detach(this.#store)) await this.#bounded('close', () => this.#store.close())
    } finally {
      letProcessEnd()
    }
  }

  #claimRequest({ key, scope, fingerprint, settings }: Call): ClaimRequest {
    return {
      id: recordId(scope, key),
      owner: randomUUID(),
      fingerprint,
      policy: settings.policy,
      leaseMs: settings.leaseMs,
      ...(this.#settings.storeKeys && { label: { key, scope: String(scope) } }),
    }
  }
}

function shuttingDown(): IdempotencyError {
  return new IdempotencyError('store-closed', 'The engine is shutting down and takes no more requests.')
}

function ignore(): void {}

/** How long a journal remembers beyond the record: clocks differ, and messages are late. */
const journalMarginMs = 3_600_000

const journalIsAhead =
  'The journal of this key is ahead of its record, so the request was not run. Send the same request with the same key again.'
const incomparable =
  'The record of this key was written by another release, so it cannot be compared with this request.'
const unreadable = 'The record of this key cannot be read, so nobody can tell what became of it.'
