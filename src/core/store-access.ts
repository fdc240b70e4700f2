import type { Fingerprint } from '../protocol/fingerprint.ts'
import { AbandonedClaims } from './abandoned.ts'
import { Deadline, DeadlineExceeded } from './deadline.ts'
import type { Events, StoreOperation } from './events.ts'
import type { Journal, JournalOpening, TransactionRequest } from './journal.ts'
import { keepProcessAlive } from './keep-alive.ts'
import { SealBroken } from './sealing.ts'
import type { EngineSettings } from './settings.ts'
import { attach, detach } from './shared-store.ts'
import { after, transactionUnavailable } from './steps.ts'
import type {
  ClaimRequest,
  ClaimResult,
  HeldLease,
  RenewResult,
  StepChange,
  Store,
  Unsubscribe,
  WriteResult,
} from './store.ts'
import type { FinalWrite } from './unacknowledged.ts'

/** `unreadable`: what is remembered can't be opened, for want of its key. */
export type Opening = JournalOpening | { readonly kind: 'unreadable' }

/**
 * The engine's way to its store and its journal: bounded in time, sealed on the way in and opened on the way back, with
 * an event for each failure, and with every claim undone of which nobody knows whether it landed.
 */
export class StoreAccess {
  readonly journal: Journal | undefined
  readonly abandoned: AbandonedClaims
  readonly #settings: EngineSettings
  readonly #store: Store
  readonly #events: Events
  readonly #deadline: Deadline

  constructor(settings: EngineSettings, events: Events) {
    const { store, journal, clock } = settings
    this.#settings = settings
    this.#store = store
    this.journal = journal
    this.#events = events
    this.#deadline = new Deadline(clock, settings.storeTimeoutMs)
    this.abandoned = new AbandonedClaims(clock, (id, owner) =>
      this.#bounded('abandon', () => store.abandon(id, owner)),
    )
    attach(store)
    if (journal !== undefined) attach(journal)
  }

  claim(request: ClaimRequest): Promise<ClaimResult> {
    const claiming = promised(() => this.#store.claim(request))
    return this.#deadline.bound(claiming, {
      onValue: (result) => this.#opened(result, request),
      onError: (error) => {
        this.#events.emit({ type: 'store-error', operation: 'claim', error })
        // The claim may have landed, or land yet.
        this.abandon(request)
        if (error instanceof DeadlineExceeded) void this.#giveBackLate(request, claiming)
      },
    })
  }

  abandon({ id, owner, leaseMs }: ClaimRequest): void {
    this.abandoned.add(id, owner, leaseMs)
  }

  renew(leases: readonly HeldLease[]): Promise<readonly RenewResult[]> {
    return this.#bounded('renew', () => this.#store.renew(leases))
  }

  write(held: HeldLease, write: FinalWrite): Promise<WriteResult> {
    if (write.kind === 'release') {
      return this.#bounded('release', () => this.#store.release(held, { clean: write.clean }))
    }
    return this.#bounded('complete', () => {
      const outcome = this.#settings.sealing.sealOutcome(write.outcome, held.id, held.token)
      return this.#store.complete(held, outcome)
    })
  }

  recordStep(held: HeldLease, change: StepChange): Promise<WriteResult> {
    const recorder = this.journal ?? this.#store
    const sealed = this.#settings.sealing.sealStep(change, held.id, held.token)
    const record = () => this.#bounded('step', () => recorder.recordStep(held, sealed))
    // Nothing has begun where the mark fails, and its function does not run. An end can't be taken back.
    return change.state === 'begun' ? record() : this.#insisted(record)
  }

  /** Not bounded: the application's own work is in it. */
  async transact(held: HeldLease, name: string, request: TransactionRequest): Promise<WriteResult> {
    if (this.journal === undefined) throw transactionUnavailable(name)
    const { sealing } = this.#settings
    const work = (transaction: unknown) =>
      after(request.work(transaction), (result) => sealing.sealResult(result, name, held.id, held.token))
    return this.journal.transact({ ...request, work })
  }

  /** The digests as they are stored: under a secret, where there is one. */
  keyed(fingerprint: Fingerprint): Fingerprint {
    return this.#settings.sealing.keyed(fingerprint)
  }

  async openJournal(journal: Journal, held: HeldLease, keepMs: number): Promise<Opening> {
    const opening = await this.#bounded('open-journal', () => journal.open(held, keepMs))
    if (opening.kind !== 'opened') return opening
    try {
      return { kind: 'opened', steps: this.#settings.sealing.openSteps(opening.steps, held.id) }
    } catch (error) {
      this.#events.emit({ type: 'store-error', operation: 'open-journal', error })
      return { kind: 'unreadable' }
    }
  }

  async watch(id: string, listener: () => void): Promise<Unsubscribe | undefined> {
    try {
      return await this.#store.watch?.(id, listener)
    } catch (error) {
      // Without a subscription waiters poll, which is slower and just as right.
      this.#events.emit({ type: 'store-error', operation: 'watch', error })
      return undefined
    }
  }

  /** Sends what must still be undone, once more. */
  async undo(): Promise<void> {
    await this.#deadline.bound(this.abandoned.close()).catch(ignore)
  }

  /** Closes what no other engine uses. */
  async close(): Promise<void> {
    const { journal } = this
    if (journal !== undefined && detach(journal)) await this.#bounded('close', () => journal.close())
    if (detach(this.#store)) await this.#bounded('close', () => this.#store.close())
  }

  /** A record that can't be opened is refused like one that can't be read. */
  #opened(result: ClaimResult, request: ClaimRequest): ClaimResult {
    try {
      return this.#settings.sealing.openResult(result, request.id)
    } catch (error) {
      if (result.kind === 'claimed') this.abandon(request)
      if (!(error instanceof SealBroken)) throw error
      this.#events.emit({ type: 'store-error', operation: 'claim', error })
      return { kind: 'unreadable', reason: error.message }
    }
  }

  /** A claim that lay in a driver's queue for longer than a lease lands when nobody abandons it any more. */
  async #giveBackLate(request: ClaimRequest, claiming: Promise<ClaimResult>): Promise<void> {
    const late = await claiming.catch(ignore)
    if (late?.kind === 'claimed') this.abandon(request)
  }

  /** Tries again within the time-out of one operation: for writes that say the same, however often they arrive. */
  #insisted<T>(perform: () => Promise<T>): Promise<T> {
    const { clock, storeTimeoutMs } = this.#settings
    const untilMs = clock.monotonic() + storeTimeoutMs
    const insist = async (pauseMs: number): Promise<T> => {
      try {
        return await perform()
      } catch (error) {
        if (clock.monotonic() + pauseMs >= untilMs) throw error
        const letProcessEnd = keepProcessAlive()
        await new Promise<void>((resolve) => void clock.setTimer(resolve, pauseMs))
        letProcessEnd()
        return insist(2 * pauseMs)
      }
    }
    return this.#deadline.bound(insist(firstPauseMs))
  }

  #bounded<T>(operation: StoreOperation, perform: () => Promise<T>): Promise<T> {
    return this.#deadline.bound(promised(perform), {
      onError: (error) => this.#events.emit({ type: 'store-error', operation, error }),
    })
  }
}

// Not async functions: each request passes here several times, and each of those costs half a kilobyte.

/** A store that throws refuses. */
function promised<T>(perform: () => Promise<T>): Promise<T> {
  try {
    return perform()
  } catch (error) {
    return Promise.reject(error)
  }
}

/** As a completion waits before it is tried again. */
const firstPauseMs = 50

function ignore(): void {}
