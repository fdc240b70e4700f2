import { randomUUID } from 'node:crypto'
import { recordId } from '../protocol/identity.ts'
import type { ProblemCode } from '../protocol/codes.ts'
import type { Fingerprint } from '../protocol/fingerprint.ts'
import { createProblem, type Problem } from '../protocol/problem.ts'
import type { Decision } from './decision.ts'
import { IdempotencyError } from './errors.ts'
import { Events } from './events.ts'
import { Heartbeat } from './heartbeat.ts'
import { keepProcessAlive } from './keep-alive.ts'
import { Lease, type LeaseKeeper } from './lease.ts'
import { type Logger, Misuse, safely } from './misuse.ts'
import type { Journal, TransactionRequest } from './journal.ts'
import type { StepRecord, StoredResponse } from './record.ts'
import { reconcile } from './recovery.ts'
import { Renewals } from './renewals.ts'
import type { Call, EngineSettings, Reconcile } from './settings.ts'
import type {
  ClaimedResult,
  ClaimRequest,
  ClaimResult,
  HeldLease,
  StepChange,
  Takeover,
  WriteResult,
} from './store.ts'
import { type Opening, StoreAccess } from './store-access.ts'
import { type FinalWrite, UnacknowledgedWrites } from './unacknowledged.ts'
import { UnfinishedWork } from './unfinished.ts'
import { Waiting } from './waiting.ts'

/** Decides what becomes of a keyed request: the only place where the protocol is carried out. */
export class Engine implements LeaseKeeper {
  readonly events: Events
  readonly misuse: Misuse
  readonly logger: Logger
  readonly #settings: EngineSettings
  readonly #access: StoreAccess
  readonly #renewals: Renewals
  readonly #unacknowledged: UnacknowledgedWrites
  readonly #heartbeat: Heartbeat
  readonly #waiting: Waiting
  readonly #unfinished: UnfinishedWork
  #closing: Promise<void> | undefined

  constructor(settings: EngineSettings) {
    const { store, clock } = settings
    this.#settings = settings
    this.logger = safely(settings.logger)
    this.events = new Events(settings.on, (message) => this.logger.warn(message), settings.storeKeys)
    this.misuse = new Misuse(this.logger, settings.silence)
    const access = new StoreAccess(settings, this.events)
    this.#access = access
    this.#renewals = new Renewals(clock, (leases) => access.renew(leases))
    this.#unacknowledged = new UnacknowledgedWrites(clock, (held, write) => access.write(held, write))
    this.#heartbeat = new Heartbeat(clock, [this.#renewals, this.#unacknowledged, access.abandoned])
    this.#waiting = new Waiting((id, listener) => access.watch(id, listener), clock, settings.maxWaiters)
    this.#unfinished = new UnfinishedWork(clock)
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
  begin(call: Call): Promise<Decision> {
    const request = this.#claimRequest(call)
    if (this.#closing !== undefined) return Promise.resolve(this.#withoutStore(call, request, shuttingDown()))
    this.#unfinished.begin()
    const sentMs = this.nowMs()
    // No async function, and no promise but the one: each request passes here.
    return this.#access.claim(request).then(
      (result) =>
        this.#unfinished.endWith(() =>
          this.#isLate(result, request)
            ? this.#withoutStore(call, request, shuttingDown())
            : this.#decide(call, request, result, sentMs),
        ),
      (error: unknown) => this.#unfinished.endWith(() => this.#withoutStore(call, request, error)),
    )
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
  write(lease: Lease, write: FinalWrite): Promise<WriteResult | 'deferred'> {
    return this.#access.write(lease.held, write).then(
      (result) => {
        this.#endLease(lease)
        return result
      },
      (error: unknown) => {
        this.events.emit({ ...lease.about, type: 'record-deferred', error })
        this.#renewals.resume(lease)
        void this.#follow(lease, write.kind, this.#unacknowledged.add(lease.held, write))
        return 'deferred'
      },
    )
  }

  get journal(): Journal | undefined {
    return this.#access.journal
  }

  recordStep(held: HeldLease, change: StepChange): Promise<WriteResult> {
    return this.#access.recordStep(held, change)
  }

  transact(held: HeldLease, name: string, request: TransactionRequest): Promise<WriteResult> {
    return this.#access.transact(held, name, request)
  }

  keyed(fingerprint: Fingerprint): Fingerprint {
    return this.#access.keyed(fingerprint)
  }

  #decide(
    call: Call,
    request: ClaimRequest,
    result: ClaimResult,
    sentMs: number,
  ): Decision | Promise<Decision> {
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

  #grant(
    call: Call,
    request: ClaimRequest,
    result: ClaimedResult,
    sentMs: number,
  ): Decision | Promise<Decision> {
    const { token, attempt, takeover } = result
    const held: HeldLease = { ...request, token, attempt, takeover: takeover !== undefined }
    const { journal } = this.#access
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
    let opening: Opening
    try {
      opening = await this.#access.openJournal(journal, held, keepMs)
      // It may have taken as long as the store may: who was told to end meanwhile starts nothing.
      if (this.#closing !== undefined) throw shuttingDown()
    } catch (error) {
      this.#access.abandon(held)
      return this.#withoutStore(call, held, error)
    }
    if (opening.kind === 'opened') return this.#start(call, held, result, opening.steps, sentMs)
    this.#access.abandon(held)
    switch (opening.kind) {
      case 'stale':
        // A clock went back, or this claim was replaced already. A later claim has a later token.
        return this.#reject(call, held, 'store-unavailable', { detail: journalIsAhead })
      case 'mismatch':
        // The store forgot this key, and the journal did not.
        return this.#reject(call, held, 'key-reused')
      case 'incomparable':
        return this.#reject(call, held, 'outcome-unknown', { detail: incomparable })
      case 'unreadable':
        return this.#reject(call, held, 'outcome-unknown', { detail: unreadable })
    }
  }

  #start(
    call: Call,
    held: HeldLease,
    result: ClaimedResult,
    steps: readonly StepRecord[],
    sentMs: number,
  ): Decision | Promise<Decision> {
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
    if (this.events.heard) {
      const takeoverOf = takeover && { takeover: takeover.of }
      this.events.emit({ ...lease.about, type: 'claimed', attempt, token, ...takeoverOf })
    }
    if (takeover === undefined || call.settings.reconcile === undefined) return { kind: 'proceed', lease }
    return this.#reconcile(call, held, lease, takeover, call.settings.reconcile)
  }

  async #reconcile(
    call: Call,
    held: HeldLease,
    lease: Lease,
    takeover: Takeover,
    ask: Reconcile,
  ): Promise<Decision> {
    const recovered = await reconcile(ask, lease, takeover, this.events)
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
    if (this.events.heard) {
      const about = { id: request.id, key: call.key, scope: String(call.scope) }
      this.events.emit({ ...about, type: 'replayed', status: response.status, waited })
    }
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
      abandon: () => this.#access.abandon(request),
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
    try {
      const result = await this.#access.claim(request)
      if (this.#isLate(result, request)) throw shuttingDown()
      return result
    } finally {
      this.#unfinished.end()
    }
  }

  /** Gives a claim back that came when this engine was told to end. */
  #isLate(result: ClaimResult, request: ClaimRequest): boolean {
    if (result.kind !== 'claimed' || this.#closing === undefined) return false
    this.#access.abandon(request)
    return true
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
      await this.#access.undo()
      this.#heartbeat.stop()
      await this.#access.close()
    } finally {
      letProcessEnd()
    }
  }

  #claimRequest({ key, scope, fingerprint, settings }: Call): ClaimRequest {
    const request = {
      id: recordId(scope, key),
      owner: randomUUID(),
      fingerprint: this.keyed(fingerprint),
      policy: settings.policy,
      leaseMs: settings.leaseMs,
    }
    return this.#settings.storeKeys ? { ...request, label: { key, scope: String(scope) } } : request
  }
}

function shuttingDown(): IdempotencyError {
  return new IdempotencyError('store-closed', 'The engine is shutting down and takes no more requests.')
}

/** How long a journal remembers beyond the record: clocks differ, and messages are late. */
const journalMarginMs = 3_600_000

const journalIsAhead =
  'The journal of this key is ahead of its record, so the request was not run. Send the same request with the same key again.'
const incomparable =
  'The record of this key was written by another release, so it cannot be compared with this request.'
const unreadable = 'The record of this key cannot be read, so nobody can tell what became of it.'
