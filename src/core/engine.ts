import { randomUUID } from 'node:crypto'
import { recordId } from '../protocol/identity.ts'
import type { ProblemCode } from '../protocol/codes.ts'
import { createProblem, type Problem } from '../protocol/problem.ts'
import { AbandonedClaims } from './abandoned.ts'
import { Deadline } from './deadline.ts'
import type { Decision } from './decision.ts'
import { Events, type StoreOperation } from './events.ts'
import { Heartbeat } from './heartbeat.ts'
import { Lease, type LeaseKeeper } from './lease.ts'
import { Misuse } from './misuse.ts'
import type { StoredResponse } from './record.ts'
import { reconcile } from './recovery.ts'
import { Renewals } from './renewals.ts'
import type { Call, EngineSettings } from './settings.ts'
import { attach, detach } from './shared-store.ts'
import type { ClaimedResult, ClaimRequest, ClaimResult, HeldLease, Store, WriteResult } from './store.ts'
import { type FinalWrite, UnacknowledgedWrites } from './unacknowledged.ts'
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
  #closing: Promise<void> | undefined
  #idle: (() => void) | undefined

  constructor(settings: EngineSettings) {
    const { store, clock } = settings
    this.#settings = settings
    this.#store = store
    this.events = new Events(settings.on, (message) => settings.logger.warn(message))
    this.misuse = new Misuse(settings.logger, settings.silence)
    this.#deadline = new Deadline(clock, settings.storeTimeoutMs)
    this.#renewals = new Renewals(clock, (leases) => this.#bounded('renew', () => store.renew(leases)))
    this.#unacknowledged = new UnacknowledgedWrites(clock, (held, write) => this.#perform(held, write))
    this.#abandoned = new AbandonedClaims(clock, (id, owner) =>
      this.#bounded('abandon', () => store.abandon(id, owner)),
    )
    this.#heartbeat = new Heartbeat(clock, [this.#renewals, this.#unacknowledged, this.#abandoned])
    this.#waiting = new Waiting(store, clock, settings.maxWaiters)
    attach(store)
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
    if (this.#closing !== undefined) return this.#reject(call, request, 'store-unavailable', shuttingDown)
    const sentMs = this.nowMs()
    try {
      return await this.#decide(call, request, await this.#claim(request), sentMs)
    } catch (error) {
      return this.#withoutStore(call, request, error)
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
      this.#forgetLease(lease)
      return result
    } catch (error) {
      this.events.emit({ ...lease.about, type: 'record-deferred', error })
      void this.#keepTrying(lease, write)
      return 'deferred'
    }
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
    const lease = new Lease(this, {
      held,
      key: call.key,
      scope: String(call.scope),
      maxRunMs: call.settings.maxRunMs,
      takeover,
    })
    this.#renewals.add(lease, sentMs)
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
    if (recovered.kind === 'refuse') return this.#reject(call, request, 'outcome-unknown')
    return this.#replay(call, request, recovered.response, request.policy.retainMs, false)
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
      group: `${request.id} ${policy.recovery}`,
      waitMs: concurrent.waitMs,
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
    if (this.#settings.onStoreError === 'reject') {
      return this.#reject(call, request, 'store-unavailable', { retryAfterSeconds: 1 })
    }
    const about = { id: request.id, key: call.key, scope: String(call.scope) }
    this.events.emit({ ...about, type: 'bypassed', error })
    return { kind: 'bypass' }
  }

  async #claim(request: ClaimRequest): Promise<ClaimResult> {
    try {
      return await this.#bounded('claim', () => this.#store.claim(request))
    } catch (error) {
      // The claim may have landed, or land yet.
      this.#abandon(request)
      throw error
    }
  }

  #abandon({ id, owner, leaseMs }: ClaimRequest): void {
    this.#bounded('abandon', () => this.#store.abandon(id, owner)).catch(() => {})
    this.#abandoned.add(id, owner, leaseMs)
  }

  #perform(held: HeldLease, write: FinalWrite): Promise<WriteResult> {
    if (write.kind === 'release') {
      return this.#bounded('release', () => this.#store.release(held, { clean: write.clean }))
    }
    return this.#bounded('complete', () => this.#store.complete(held, write.outcome))
  }

  async #keepTrying(lease: Lease, write: FinalWrite): Promise<void> {
    const sinceMs = this.nowMs()
    const result = await this.#unacknowledged.add(lease.held, write)
    this.#forgetLease(lease)
    if (result === 'lost') this.events.emit({ ...lease.about, type: 'record-lost' })
    else if (result === 'stale')
      this.events.emit({ ...lease.about, type: 'lease-lost', token: lease.held.token })
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

  #forgetLease(lease: Lease): void {
    this.#renewals.remove(lease)
    if (this.#renewals.size === 0) this.#idle?.()
  }

  async #close(graceMs: number): Promise<void> {
    this.#waiting.close()
    if (this.#renewals.size > 0) await this.#settleWithin(graceMs)
    this.#unacknowledged.giveUp()
    this.#heartbeat.stop()
    if (detach(this.#store)) await this.#store.close()
  }

  #settleWithin(graceMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#settings.clock.setTimer(resolve, graceMs)
      this.#idle = () => {
        timer.cancel()
        resolve()
      }
    })
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

const shuttingDown = { retryAfterSeconds: 1, detail: 'This server is shutting down. Send the request again.' }
const incomparable =
  'The record of this key was written by another release, so it cannot be compared with this request.'
const unreadable = 'The record of this key cannot be read, so nobody can tell what became of it.'
