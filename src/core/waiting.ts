import type { Clock, Timer } from './clock.ts'
import { keepProcessAlive } from './keep-alive.ts'
import type { ClaimResult, Unsubscribe } from './store.ts'

/** A duplicate that waits for the winner of its key. */
export interface Waiter {
  readonly id: string
  /** Waiters of one group share one store read, so they must be alike in all that a claim depends on. */
  readonly group: string
  readonly waitMs: number
  /** How long the winner had been running when this waiter found it. */
  readonly ageMs: number
  /** Claims again. Rejects when the store fails. */
  claim(): Promise<ClaimResult>
  /** Gives back a claim that was granted after this waiter had left. */
  abandon(): void
  /** Calls `listener` when the caller has left; returns how to stop listening. */
  onGone(listener: () => void): Unsubscribe
}

export type WaitEnd =
  | { readonly kind: 'result'; readonly result: ClaimResult }
  /** The wait is over and the winner still runs. */
  | { readonly kind: 'timed-out'; readonly ageMs: number }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** The caller left, or the engine is shutting down. */
  | { readonly kind: 'left' }

/** Never rejects: a store without subscriptions, or whose subscription failed, gives `undefined`. */
export type Watch = (id: string, listener: () => void) => Promise<Unsubscribe | undefined>

interface Member {
  readonly waiter: Waiter
  readonly untilMs: number
  readonly end: (end: WaitEnd) => void
  /** Attempts that began while this waiter waited: it joins at most one. */
  attempts: number
}

/** With `watch`, polling only mends a notification that got lost; without, it is all there is. */
const pollWatchedMs = 1_000
const pollUnwatchedMs = 100
/** Stores count whole milliseconds. */
const roundingMs = 5

/** Holds duplicates until their winner's answer is there; one store read for each record and change. */
export class Waiting {
  readonly #watch: Watch
  readonly #clock: Clock
  readonly #maxWaiters: number
  readonly #groups = new Map<string, Group>()
  #size = 0
  #closed = false
  #letProcessEnd: (() => void) | undefined

  constructor(watch: Watch, clock: Clock, maxWaiters: number) {
    this.#watch = watch
    this.#clock = clock
    this.#maxWaiters = maxWaiters
  }

  /** True when one more duplicate may not wait. */
  get full(): boolean {
    return this.#closed || this.#size >= this.#maxWaiters
  }

  /** Waits until `waiter` has a result other than *running*, or its time is over. */
  async join(waiter: Waiter): Promise<WaitEnd> {
    this.#size += 1
    this.#letProcessEnd ??= keepProcessAlive()
    try {
      return await new Promise<WaitEnd>((end) => {
        const group = this.#groups.get(waiter.group) ?? this.#createGroup(waiter)
        const untilMs = this.#clock.monotonic() + waiter.waitMs
        group.add({ waiter, untilMs, end, attempts: 0 })
      })
    } finally {
      this.#size -= 1
      if (this.#size === 0) {
        this.#letProcessEnd()
        this.#letProcessEnd = undefined
      }
    }
  }

  close(): void {
    this.#closed = true
    for (const group of this.#groups.values()) group.endAll({ kind: 'left' })
  }

  #createGroup(waiter: Waiter): Group {
    const group = new Group(this.#watch, this.#clock, waiter, () => this.#groups.delete(waiter.group))
    this.#groups.set(waiter.group, group)
    return group
  }
}

class Group {
  readonly #watch: Watch
  readonly #clock: Clock
  readonly #id: string
  readonly #onEmpty: () => void
  readonly #members = new Set<Member>()
  readonly #stopListening = new Map<Member, Unsubscribe>()
  #unsubscribe: Unsubscribe | undefined
  #timer: Timer | undefined
  #wakeMs = Number.POSITIVE_INFINITY
  #reading = false
  #changedMeanwhile = false
  /** When the run began that is waited for, on the monotonic clock. */
  #runBeganMs: number
  #closed = false

  constructor(watch: Watch, clock: Clock, first: Waiter, onEmpty: () => void) {
    this.#watch = watch
    this.#clock = clock
    this.#id = first.id
    this.#onEmpty = onEmpty
    this.#runBeganMs = clock.monotonic() - first.ageMs
    void this.#open()
  }

  add(member: Member): void {
    this.#members.add(member)
    const stop = member.waiter.onGone(() => this.#end(member, { kind: 'left' }))
    if (!this.#members.has(member)) return stop()
    this.#stopListening.set(member, stop)
    // Never later than before: else a stream of newcomers would put off the poll for good.
    const dueMs = Math.min(member.untilMs, this.#clock.monotonic() + this.#pollMs)
    if (dueMs < this.#wakeMs) this.#arm(dueMs)
  }

  endAll(end: WaitEnd): void {
    for (const member of this.#members) this.#end(member, end)
  }

  /** Subscribes first and reads after, so that no change falls between the two. */
  async #open(): Promise<void> {
    const unsubscribe = await this.#watch(this.#id, () => void this.#read())
    if (this.#closed) unsubscribe?.()
    else this.#unsubscribe = unsubscribe
    await this.#read()
  }

  /** One member claims for all. */
  async #read(): Promise<void> {
    if (this.#reading) {
      this.#changedMeanwhile = true
      return
    }
    const [delegate] = this.#members
    if (delegate === undefined) return
    this.#reading = true
    const sentMs = this.#clock.monotonic()
    try {
      this.#conclude(delegate, await delegate.waiter.claim(), sentMs)
    } catch (error) {
      this.endAll({ kind: 'failed', error })
    } finally {
      this.#reading = false
    }
    if (this.#changedMeanwhile) {
      this.#changedMeanwhile = false
      await this.#read()
    }
  }

  #conclude(delegate: Member, result: ClaimResult, sentMs: number): void {
    const nowMs = this.#clock.monotonic()
    switch (result.kind) {
      case 'running':
        // A run only grows older: this is another one, which began elsewhere when the last was released.
        if (result.ageMs < sentMs - this.#runBeganMs - roundingMs) this.#joinNextAttempt()
        this.#runBeganMs = nowMs - result.ageMs
        if (!this.#closed) this.#arm(nowMs + Math.min(result.leaseLeftMs, this.#pollMs))
        return
      case 'claimed':
        // Given back, the key is free: the store's notice or the next poll makes another member the delegate.
        if (!this.#members.has(delegate)) return delegate.waiter.abandon()
        this.#end(delegate, { kind: 'result', result })
        this.#runBeganMs = nowMs
        this.#joinNextAttempt()
        return
      default:
        this.endAll({ kind: 'result', result })
    }
  }

  #joinNextAttempt(): void {
    for (const member of this.#members) {
      member.attempts += 1
      if (member.attempts > 1) this.#end(member, this.#timedOut())
    }
  }

  get #pollMs(): number {
    return this.#unsubscribe === undefined ? pollUnwatchedMs : pollWatchedMs
  }

  #timedOut(): WaitEnd {
    return { kind: 'timed-out', ageMs: this.#clock.monotonic() - this.#runBeganMs }
  }

  /** One timer for the whole group: the next poll or the next member whose time is over. */
  #arm(pollAtMs: number): void {
    this.#wakeMs = pollAtMs
    for (const member of this.#members) this.#wakeMs = Math.min(this.#wakeMs, member.untilMs)
    this.#timer?.cancel()
    this.#timer = this.#clock.setTimer(
      () => this.#wake(),
      Math.max(1, this.#wakeMs - this.#clock.monotonic()),
    )
  }

  #wake(): void {
    const nowMs = this.#clock.monotonic()
    for (const member of this.#members) {
      if (member.untilMs <= nowMs) this.#end(member, this.#timedOut())
    }
    if (this.#closed) return
    this.#arm(nowMs + this.#pollMs)
    void this.#read()
  }

  #end(member: Member, end: WaitEnd): void {
    if (!this.#members.delete(member)) return
    this.#stopListening.get(member)?.()
    this.#stopListening.delete(member)
    member.end(end)
    if (this.#members.size === 0) this.#close()
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    this.#onEmpty()
    this.#unsubscribe?.()
  }
}
