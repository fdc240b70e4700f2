import { IdempotencyError } from '../../core/errors.ts'
import type { StoredResponse } from '../../core/record.ts'
import type {
  ClaimRequest,
  ClaimResult,
  HeldLease,
  Inspection,
  Outcome,
  RenewResult,
  StepChange,
  Store,
  Unsubscribe,
  WriteResult,
} from '../../core/store.ts'
import { entombed } from '../../core/tombstone.ts'
import * as rules from '../../core/transitions.ts'
import { storeClosed } from '../embedded/closed.ts'
import { Watchers } from '../embedded/watchers.ts'
import { type Cells, RecordTooLarge } from './cells.ts'
import { inspectCells } from './inspecting.ts'
import { Polling } from './polling.ts'
import { type Change, Swapping } from './swapping.ts'

export interface SwapStoreSettings {
  readonly name: string
  /** The function that the user called: errors name it. */
  readonly factory: string
  readonly pollEveryMs: number
  /** Added to each lease in the record, for others whose clocks may be ahead of this one by as much. */
  readonly clockSkewMs: number
  onClose(): void
}

/** A store over a database that can compare and set: the rules run here, once, and the database guards each write. */
export class SwapStore implements Store {
  readonly name: string
  readonly durable = true
  readonly inspect: Inspection
  readonly #cells: Cells
  readonly #settings: SwapStoreSettings
  readonly #swapping: Swapping
  readonly #watchers = new Watchers()
  readonly #polling: Polling
  #isClosed = false

  constructor(cells: Cells, settings: SwapStoreSettings) {
    this.name = settings.name
    this.#cells = cells
    this.#settings = settings
    this.#swapping = new Swapping(cells, (id) => this.#watchers.notify(id))
    this.#polling = new Polling(settings.pollEveryMs, this.#watchers, (ids) => cells.stamps(ids))
    this.inspect = inspectCells(cells, this.#swapping, () => this.#assertOpen())
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    this.#assertOpen()
    const padded = this.#padded(request)
    return this.#swapping.apply<ClaimResult>(
      request.id,
      {
        rule: (record, nowMs) => rules.claim(record, padded, nowMs),
        unreadable: (reason) => ({ kind: 'unreadable', reason }),
      },
      'absent',
    )
  }

  /** A lease whose record another transaction holds has no result: the engine asks again soon. */
  async renew(leases: readonly HeldLease[]): Promise<readonly RenewResult[]> {
    this.#assertOpen()
    const changes = leases.map((lease) => this.#renewal(lease))
    const byId = new Map(leases.map(({ id }, index) => [id, changes[index] ?? neverAsked()]))
    const extended = await this.#swapping.extend(byId)
    const results: RenewResult[] = []
    results.length = leases.length
    await inTurns(leases, async ({ id }, index) => {
      const change = changes[index] ?? neverAsked()
      // Where two leases of one record stand in a batch, only the last took part.
      const result =
        extended.has(id) && byId.get(id) === change ? 'renewed' : await this.#renewAlone(id, change)
      if (result !== undefined) results[index] = result
    })
    return results
  }

  async complete(lease: HeldLease, outcome: Outcome): Promise<WriteResult> {
    const attempt = (given: Outcome) =>
      this.#write(lease, (record, nowMs) => rules.complete(record, lease, given, nowMs))
    return this.#fitting(
      () => attempt(outcome),
      outcome.kind === 'response' && outcome.response.kind === 'kept'
        ? () => attempt({ ...outcome, response: refused(outcome.response) })
        : undefined,
    )
  }

  async release(lease: HeldLease, { clean }: { readonly clean: boolean }): Promise<WriteResult> {
    return this.#write(lease, (record, nowMs) => rules.release(record, lease, clean, nowMs))
  }

  async recordStep(lease: HeldLease, change: StepChange): Promise<WriteResult> {
    const padded = this.#padded(lease)
    const attempt = (given: StepChange) =>
      this.#write(lease, (record, nowMs) => rules.recordStep(record, padded, given, nowMs))
    return this.#fitting(
      () => attempt(change),
      change.state === 'finished' && change.result.kind === 'json'
        ? () => attempt({ ...change, result: { kind: 'not-kept' } })
        : undefined,
    )
  }

  async abandon(id: string, owner: string): Promise<void> {
    this.#assertOpen()
    await this.#swapping.apply<void>(
      id,
      { rule: (record, nowMs) => rules.abandon(record, owner, nowMs), unreadable: () => {} },
      'known',
    )
  }

  async watch(id: string, listener: () => void): Promise<Unsubscribe> {
    this.#assertOpen()
    const unsubscribe = this.#watchers.add(id, listener)
    try {
      await this.#polling.begin(id)
      return unsubscribe
    } catch (error) {
      unsubscribe()
      throw error
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#watchers.clear()
    this.#polling.stop()
    this.#settings.onClose()
  }

  #renewal(lease: HeldLease): Change<RenewResult> {
    const padded = this.#padded(lease)
    return {
      rule: (record, nowMs) => rules.renew(record, padded, nowMs),
      unreadable: () => 'stale',
    }
  }

  async #renewAlone(id: string, change: Change<RenewResult>): Promise<RenewResult | undefined> {
    try {
      return await this.#swapping.apply(id, change, 'read')
    } catch (error) {
      if (this.#cells.isHeld(error)) return undefined
      throw error
    }
  }

  async #write(lease: HeldLease, rule: Change<WriteResult>['rule']): Promise<WriteResult> {
    this.#assertOpen()
    return this.#swapping.apply<WriteResult>(lease.id, { rule, unreadable: () => 'stale' }, 'known')
  }

  /** `smaller`: what to write where the database has no room for the first. */
  async #fitting<T>(first: () => Promise<T>, smaller: (() => Promise<T>) | undefined): Promise<T> {
    try {
      return await first()
    } catch (error) {
      if (!(error instanceof RecordTooLarge)) throw error
      if (smaller === undefined) throw noRoom(error)
    }
    return this.#fitting(smaller, undefined)
  }

  #padded<T extends ClaimRequest>(request: T): T {
    return { ...request, leaseMs: request.leaseMs + this.#settings.clockSkewMs }
  }

  #assertOpen(): void {
    if (this.#isClosed) throw storeClosed(this.#settings.factory)
  }
}

const atOnce = 8

async function inTurns<T>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next
      next += 1
      const item = items[index]
      if (item !== undefined) await work(item, index)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}

function refused(response: StoredResponse): StoredResponse {
  return entombed(response, 'store-refused')
}

function noRoom(error: RecordTooLarge): IdempotencyError {
  return new IdempotencyError('store-full', error.message, { cause: error })
}

function neverAsked(): never {
  throw new Error('A renewal was asked for that is not in its batch.')
}
