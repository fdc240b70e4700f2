import type { Clock } from './clock.ts'
import { Beating } from './heartbeat.ts'
import type { HeldLease, RenewResult } from './store.ts'

/** A lease as its renewals see it. */
export interface RenewableLease {
  readonly held: HeldLease
  readonly maxRunMs: number
  /** True once an outcome exists that the store has not acknowledged: such a lease outlives `maxRun`. */
  readonly recording: boolean
  /** A later token exists. */
  onStale(): void
  /** No renewal was acknowledged for a whole lease: another may have taken over. */
  onOverdue(): void
  /** The handler did not answer within `maxRun`: its lease is given up. */
  onRunExceeded(): void
}

interface Entry {
  readonly lease: RenewableLease
  readonly startedMs: number
  /** When the last acknowledged claim or renewal was *sent*: the lease can't end earlier than a lease later. */
  acknowledgedMs: number
  renewAtMs: number
  renewing: boolean
  overdue: boolean
  /** Given up after `maxRun`: renewed no more, and watched until its time is over. */
  exceeded: boolean
}

/** Keeps all running leases alive, in one batch for each beat. */
export class Renewals extends Beating {
  readonly #clock: Clock
  readonly #renew: (leases: readonly HeldLease[]) => Promise<readonly RenewResult[]>
  readonly #entries = new Map<RenewableLease, Entry>()

  constructor(clock: Clock, renew: (leases: readonly HeldLease[]) => Promise<readonly RenewResult[]>) {
    super()
    this.#clock = clock
    this.#renew = renew
  }

  add(lease: RenewableLease, claimSentMs: number): void {
    const entry: Entry = {
      lease,
      startedMs: claimSentMs,
      acknowledgedMs: claimSentMs,
      renewAtMs: claimSentMs + renewalPeriodMs(lease),
      renewing: false,
      overdue: false,
      exceeded: false,
    }
    this.#entries.set(lease, entry)
    this.nextDueMs = Math.min(this.nextDueMs, dueMs(entry))
  }

  /** Renews a lease again that was given up: it has an outcome by now, which the store must learn. */
  resume(lease: RenewableLease): void {
    if (this.#entries.get(lease)?.exceeded === false) return
    const nowMs = this.#clock.monotonic()
    this.add(lease, nowMs - renewalPeriodMs(lease))
  }

  remove(lease: RenewableLease): void {
    this.#entries.delete(lease)
  }

  beat(nowMs: number): void {
    const batch: Entry[] = []
    for (const entry of this.#entries.values()) {
      if (isOver(entry, nowMs)) {
        entry.exceeded = true
        entry.lease.onRunExceeded()
      }
      if (!entry.overdue && nowMs >= overdueMs(entry)) {
        entry.overdue = true
        entry.lease.onOverdue()
      }
      if (entry.exceeded && entry.overdue) this.#entries.delete(entry.lease)
      if (isDue(entry, nowMs)) batch.push(entry)
    }
    if (batch.length > 0) void this.#send(batch, nowMs)
    this.#reschedule()
  }

  async #send(batch: readonly Entry[], sentMs: number): Promise<void> {
    for (const entry of batch) entry.renewing = true
    try {
      const results = await this.#renew(batch.map((entry) => entry.lease.held))
      for (const [index, entry] of batch.entries()) this.#acknowledge(entry, results[index], sentMs)
    } catch {
      // Reported by whoever gave `renew`. A store that is down is asked again soon, well within the lease.
      for (const entry of batch) this.#retrySoon(entry)
    } finally {
      for (const entry of batch) entry.renewing = false
      this.#reschedule()
    }
  }

  #acknowledge(entry: Entry, result: RenewResult | undefined, sentMs: number): void {
    // Finished while the renewal was on its way: its answer no longer matters.
    if (this.#entries.get(entry.lease) !== entry) return
    switch (result) {
      case 'renewed':
        entry.acknowledgedMs = sentMs
        entry.renewAtMs = sentMs + renewalPeriodMs(entry.lease)
        return
      case 'stale':
        this.#entries.delete(entry.lease)
        entry.lease.onStale()
        return
      case undefined:
        // A store that answers for fewer leases than it was asked about has not renewed this one.
        this.#retrySoon(entry)
    }
  }

  #retrySoon(entry: Entry): void {
    entry.renewAtMs = this.#clock.monotonic() + retryPeriodMs(entry.lease)
  }

  #reschedule(): void {
    let earliestMs = Number.POSITIVE_INFINITY
    for (const entry of this.#entries.values()) earliestMs = Math.min(earliestMs, dueMs(entry))
    this.nextDueMs = earliestMs
  }
}

function renewalPeriodMs(lease: RenewableLease): number {
  return lease.held.leaseMs / 3
}

function retryPeriodMs(lease: RenewableLease): number {
  return Math.min(1_000, lease.held.leaseMs / 6)
}

/** Leases that are due within a sixth of a lease go along, so that one batch serves many starting times. */
function isDue(entry: Entry, nowMs: number): boolean {
  return !entry.renewing && !entry.exceeded && entry.renewAtMs <= nowMs + entry.lease.held.leaseMs / 6
}

function overdueMs(entry: Entry): number {
  return entry.acknowledgedMs + entry.lease.held.leaseMs
}

function isOver(entry: Entry, nowMs: number): boolean {
  return !entry.exceeded && !entry.lease.recording && nowMs >= entry.startedMs + entry.lease.maxRunMs
}

function dueMs(entry: Entry): number {
  const renewMs = entry.renewing || entry.exceeded ? Number.POSITIVE_INFINITY : entry.renewAtMs
  const watchMs = entry.overdue ? Number.POSITIVE_INFINITY : overdueMs(entry)
  const endless = entry.lease.recording || entry.exceeded
  const endMs = endless ? Number.POSITIVE_INFINITY : entry.startedMs + entry.lease.maxRunMs
  return Math.min(renewMs, watchMs, endMs)
}
