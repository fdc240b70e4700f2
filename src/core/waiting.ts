import type { Clock, Timer } from './clock.ts'
import type { ClaimResult, Store, Unsubscribe } from './store.ts'

/** A duplicate that waits for the winner of its key. */
export interface Waiter {
  readonly id: string
  /** Waiters of one group share one store read, so they must be alike in all that a claim depends on. */
  readonly group: string
  readonly waitMs: number
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

interface Member {
  readonly waiter: Waiter
  readonly untilMs: number
  readonly end: (end: WaitEnd) => void
  /** Winners that this waiter saw released: it joins at most one further attempt. */
  releases: number
}

/** With `watch`, polling only mends a notification that got lost; without, it is all there is. */
const pollWatchedMs = 1_000
const pollUnwatchedMs = 100

/** Holds duplicates until their winner's answer is there; one store read for each record and change. */
export class Waiting {
  readonly #store: Store
  readonly #clock: Clock
  readonly #maxWaiters: number
  readonly #groups = new Map<string, Group>()
  #size = 0

  constructor(store: Store, clock: Clock, maxWaiters: number) {
    this.#store = store
    this.#clock = clock
    this.#maxWaiters = maxWaiters
  }

  get full(): boolean {
    return this.#size >= this.#maxWaiters
  }

  /** Waits until `waiter` has a result other than *running*, or its time is over. */
  join(waiter: Waiter): Promise<WaitEnd> {
    this.#size += 1
    const group = this.#groups.get(waiter.group) ?? this.#createGroup(waiter)
    return new Promise<WaitEnd>((end) => {
      const untilMs = this.#clock.monotonic() + waiter.waitMs
      group.add({ waiter, untilMs, end, releases: 0 })
    }).finally(() => {
      this.#size -= 1
    })
  }

  close(): void {
    for (const group of this.#groups.values()) group.endAll({ kind: 'left' })
  }

  #createGroup(waiter: Waiter): Group {
    const group = new Group(this.#store, this.#clock, waiter.id, () => this.#groups.delete(waiter.group))
    this.#groups.set(waiter.group, group)
    return group
  }
}

class Group {
  readonly #store: Store
  readonly #clock: Clock
  readonly #id: string
  readonly #onEmpty: () => void
  readonly #members = new Set<Member>()
  readonly #stopListening = new Map<Member, Unsubscribe>()
  #unsubscribe: Unsubscribe | undefined
  #timer: Timer | undefined
  #reading = false
  #changedMeanwhile = false
  #ageMs = 0
  #closed = false

  constructor(store: Store, clock: Clock, id: string, onEmpty: () => void) {
    this.#store = store
    this.#clock = clock
    this.#id = id
    this.#onEmpty = onEmpty
    void this.#open()
  }

  add(member: Member): void {
    this.#members.add(member)
    const stop = member.waiter.onGone(() => this.#end(member, { kind: 'left' }))
    this.#stopListening.set(member, stop)
    this.#arm(member.untilMs - this.#clock.monotonic())
  }

  endAll(end: WaitEnd): void {
    for (const member of this.#members) this.#end(member, end)
  }

  /** Subscribes first and reads after, so that no change falls between the two. */
  async #open(): Promise<void> {
    try {
      const unsubscribe = await this.#store.watch?.(this.#id, () => void this.#read())
      if (this.#closed) unsubscribe?.()
      else this.#unsubscribe = unsubscribe
    } catch {
      // A subscription that fails leaves polling, which is slower and just as right.
    }
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
    try {
      this.#conclude(delegate, await delegate.waiter.claim())
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

  #conclude(delegate: Member, result: ClaimResult): void {
    switch (result.kind) {
      case 'running':
        this.#ageMs = result.ageMs
        if (!this.#closed) this.#arm(Math.min(result.leaseLeftMs, this.#pollMs))
        return
      case 'claimed':
        if (this.#members.has(delegate)) this.#end(delegate, { kind: 'result', result })
        else delegate.waiter.abandon()
        for (const member of this.#members) this.#joinNextAttempt(member)
        if (!this.#closed) this.#arm(this.#pollMs)
        return
      default:
        this.endAll({ kind: 'result', result })
    }
  }

  #joinNextAttempt(member: Member): void {
    member.releases += 1
    if (member.releases > 1) this.#end(member, { kind: 'timed-out', ageMs: this.#ageMs })
  }

  get #pollMs(): number {
    return this.#unsubscribe === undefined ? pollUnwatchedMs : pollWatchedMs
  }

  /** One timer for the whole group: the next poll or the next member whose time is over. */
  #arm(delayMs: number): void {
    const nowMs = this.#clock.monotonic()
    let nextMs = Math.min(delayMs, this.#pollMs)
    for (const member of this.#members) nextMs = Math.min(nextMs, member.untilMs - nowMs)
    this.#timer?.cancel()
    this.#timer = this.#clock.setTimer(() => this.#wake(), Math.max(1, nextMs))
  }

  #wake(): void {
    const nowMs = this.#clock.monotonic()
    for (const member of this.#members) {
      if (member.untilMs <= nowMs) this.#end(member, { kind: 'timed-out', ageMs: this.#ageMs })
    }
    if (this.#closed) return
    this.#arm(this.#pollMs)
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
    this.#unsubscribe?.()
    this.#onEmpty()
  }
}
