import { compareFingerprints, type Fingerprint, payloadFingerprint } from '../protocol/fingerprint.ts'
import { cannotUndo, type EarlierStep, earlierStep } from './earlier-steps.ts'
import { IdempotencyError, invalidOption, isIdempotencyError } from './errors.ts'
import type { Events } from './events.ts'
import type { Journal, TransactionRequest } from './journal.ts'
import type { StepRecord } from './record.ts'
import { keptValue, requireKept, rememberedValue } from './step-value.ts'
import type { HeldLease, StepChange, WriteResult } from './store.ts'

export interface StepOptions {
  /**
   * The function may run again where nobody knows whether it had its effect: what it calls takes the same key twice
   * for one effect. Counts only if the earlier attempt said so too. Default `false`.
   */
  safe?: boolean
  /** What the step works on. Another input under the same name is an error, not the old result. Any JSON value. */
  input?: unknown
  /** True for errors after which nothing happened, so that the step counts as never begun. */
  noEffect?: (error: unknown) => boolean
}

export interface TransactionOptions {
  /** See {@link StepOptions.input}. */
  input?: unknown
  /**
   * An open transaction of your own, as the journal takes it: `fn` gets it back, and the step is remembered in it
   * when `fn` has ended. Commit at once after that.
   */
  within?: unknown
}

/** The steps of one attempt. */
export interface StepRunner {
  /**
   * Runs `fn` once for this key, and remembers its result: when the handler runs again, after a crash say, it gets
   * the remembered result and `fn` does not run. Results come back as JSON gives them, on the first run too.
   *
   * A step that began and whose end nobody knows is not run again unless it is `safe`: the run then ends with
   * `outcome-unknown`.
   *
   * @throws IdempotencyError `invalid-step`, `duplicate-step`, `step-after-answer`, `step-input-changed`,
   * `step-result-not-kept`; `outcome-unknown` where the lease or the step's end was lost; `store-unavailable`.
   * @example
   * const charge = await req.idempotency.step('charge', () => payments.charge(order), { safe: true })
   */
  step<T>(name: string, fn: () => T | Promise<T>, options?: StepOptions): Promise<T>
  /**
   * Like {@link step}, as one transaction of the application's database with what `fn` does in it: both are
   * committed, or neither. Needs the `journal` option.
   *
   * @throws IdempotencyError `transaction-unavailable` without a journal, and as {@link step}.
   * @example
   * const order = await req.idempotency.transaction('order', (client: PoolClient) => insertOrder(client, cart))
   */
  transaction<Transaction, T>(
    name: string,
    fn: (transaction: Transaction) => T | Promise<T>,
    options?: TransactionOptions,
  ): Promise<T>
}

/** What steps need of their lease and its engine. */
export interface StepKeeper {
  readonly held: HeldLease
  readonly about: { readonly id: string; readonly key: string; readonly scope: string }
  readonly events: Events
  /** True once the answer is there: it waits for the steps under way, and for no others. */
  readonly answered: boolean
  readonly lost: IdempotencyError | undefined
  announceLoss(): void
  recordStep(change: StepChange): Promise<WriteResult>
  transact(name: string, request: TransactionRequest): Promise<WriteResult>
  keyed(fingerprint: Fingerprint): Fingerprint
}

export class Steps implements StepRunner {
  readonly #keeper: StepKeeper
  readonly #remembered: Map<string, StepRecord>
  readonly #visited = new Set<string>()
  readonly #inFlight = new Set<Promise<unknown>>()
  readonly #standing: Set<string>
  #unknown = false

  constructor(keeper: StepKeeper, remembered: readonly StepRecord[]) {
    this.#keeper = keeper
    this.#remembered = new Map(remembered.map((step) => [step.name, step]))
    this.#standing = new Set(this.#remembered.keys())
  }

  /** True if a step of any attempt began, and was not undone. */
  get began(): boolean {
    return this.#standing.size > 0
  }

  /** True if a step was met of which nobody knows the end: whatever the handler answers, so is the outcome. */
  get metUnknown(): boolean {
    return this.#unknown
  }

  async step<T>(name: string, fn: () => T | Promise<T>, options: StepOptions = {}): Promise<T> {
    const input = this.#enter(name, fn, options)
    return this.#tracked(this.#step(name, fn, input, options))
  }

  async transaction<Transaction, T>(
    name: string,
    fn: (transaction: Transaction) => T | Promise<T>,
    options: TransactionOptions = {},
  ): Promise<T> {
    const input = this.#enter(name, fn, options)
    return this.#tracked(this.#transaction(name, fn, input, options))
  }

  /** What earlier attempts left. */
  get earlier(): readonly EarlierStep[] {
    return [...this.#remembered.values()].map((step) => earlierStep(step))
  }

  /** The application knows that a step which began had no effect. */
  async undo(name: string): Promise<void> {
    const step = this.#remembered.get(name)
    if (step?.state !== 'begun') throw cannotUndo(name, step)
    let written: WriteResult
    try {
      written = await this.#keeper.recordStep({ state: 'undone', name })
    } catch (cause) {
      throw new IdempotencyError('store-unavailable', `The step "${name}" could not be undone.`, { cause })
    }
    if (written === 'stale') throw this.#loseLease()
    this.#remembered.delete(name)
    this.#standing.delete(name)
  }

  /** Resolves when no step is under way: the answer waits for them. */
  async settled(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight)
  }

  /** Says which remembered steps a run that has ended did not come to: its code may have changed. */
  reportUnvisited(): void {
    const names = [...this.#remembered.keys()].filter((name) => !this.#visited.has(name))
    if (names.length > 0) this.#keeper.events.emit({ ...this.#keeper.about, type: 'steps-unvisited', names })
  }

  /** What every step must satisfy before it may look at what is remembered. */
  #enter(name: string, fn: unknown, { input }: { input?: unknown }): Fingerprint | undefined {
    if (typeof name !== 'string' || !stepName.test(name)) throw invalidName(name)
    if (typeof fn !== 'function') throw invalidOption('fn', 'a function', fn)
    if (this.#keeper.lost !== undefined) throw this.#keeper.lost
    if (this.#keeper.answered) throw afterAnswer(name)
    if (this.#visited.has(name)) throw duplicate(name)
    const digest = input === undefined ? undefined : this.#keeper.keyed(inputDigest(input))
    this.#visited.add(name)
    return digest
  }

  async #step<T>(
    name: string,
    fn: () => T | Promise<T>,
    input: Fingerprint | undefined,
    { safe = false, noEffect }: StepOptions,
  ): Promise<T> {
    const remembered = this.#recall(name, input)
    if (remembered?.state === 'finished') return rememberedValue<T>(remembered)
    if (remembered !== undefined && !(remembered.safe && safe)) throw this.#meetUnknown(name)

    await this.#begin({ state: 'begun', name, safe, ...(input !== undefined && { input }) })
    let value: T
    try {
      value = await fn()
    } catch (error) {
      // An earlier attempt may have had its effect all the same.
      if (remembered === undefined && saysNoEffect(noEffect, error)) await this.#undo(name)
      throw error
    }
    const { result, told } = keptValue(value)
    await this.#end({ state: 'finished', name, result, ...(input !== undefined && { input }) })
    return told
  }

  async #transaction<Transaction, T>(
    name: string,
    fn: (transaction: Transaction) => T | Promise<T>,
    input: Fingerprint | undefined,
    { within }: TransactionOptions,
  ): Promise<T> {
    const remembered = this.#recall(name, input)
    if (remembered?.state === 'finished') return rememberedValue<T>(remembered)
    if (remembered !== undefined) throw this.#meetUnknown(name)

    const told: T[] = []
    const written = await this.#transact(name, {
      step: { lease: this.#keeper.held, name, ...(input !== undefined && { input }) },
      ...(within !== undefined && { within }),
      // The journal hands out its driver's own transaction; only the application knows that type.
      work: (transaction) =>
        after(fn(transaction as Transaction), (value) => {
          const kept = keptValue(value)
          requireKept(name, kept.result)
          told[0] = kept.told
          return kept.result
        }),
    })
    if (written === 'stale') throw this.#loseLease()
    this.#standing.add(name)
    // The journal says 'written' only where `work` has run to its end.
    return told[0] as T
  }

  async #transact(name: string, request: TransactionRequest): Promise<WriteResult> {
    try {
      return await this.#keeper.transact(name, request)
    } catch (error) {
      if (isIdempotencyError(error) && error.code === 'commit-unknown') throw this.#meetUnknown(name, error)
      throw error
    }
  }

  #recall(name: string, input: Fingerprint | undefined): StepRecord | undefined {
    const remembered = this.#remembered.get(name)
    if (remembered?.input === undefined || input === undefined) return remembered
    if (compareFingerprints(remembered.input, input) === 'same') return remembered
    throw new IdempotencyError(
      'step-input-changed',
      `The step "${name}" ran with another input in an earlier attempt. Build the input from the request alone, or give the step another name.`,
    )
  }

  async #begin(step: StepRecord): Promise<void> {
    let written: WriteResult
    try {
      written = await this.#keeper.recordStep(step)
    } catch (error) {
      // The mark may have landed.
      this.#standing.add(step.name)
      throw new IdempotencyError(
        'store-unavailable',
        `The step "${step.name}" was not run, because its beginning could not be recorded.`,
        { cause: error },
      )
    }
    if (written === 'stale') throw this.#loseLease()
    this.#standing.add(step.name)
  }

  /** Where the store stays down, the run goes on: to the next attempt the step is one of which nobody knows the end. */
  async #end(step: StepRecord): Promise<void> {
    try {
      if ((await this.#keeper.recordStep(step)) === 'stale') throw this.#loseLease()
    } catch (error) {
      if (error === this.#keeper.lost) throw error
    }
  }

  async #undo(name: string): Promise<void> {
    try {
      if ((await this.#keeper.recordStep({ state: 'undone', name })) === 'written')
        this.#standing.delete(name)
    } catch {
      // The step stays one of which nobody knows the end.
    }
  }

  #loseLease(): IdempotencyError {
    this.#keeper.announceLoss()
    return this.#keeper.lost ?? new IdempotencyError('outcome-unknown', 'The lease of this key was lost.')
  }

  #meetUnknown(name: string, cause?: unknown): IdempotencyError {
    this.#unknown = true
    this.#keeper.events.emit({ ...this.#keeper.about, type: 'step-unknown', name })
    return new IdempotencyError(
      'outcome-unknown',
      `Nobody knows whether the step "${name}" of an earlier attempt had its effect, and it is not declared { safe: true }.`,
      { cause },
    )
  }

  async #tracked<T>(running: Promise<T>): Promise<T> {
    this.#inFlight.add(running)
    try {
      return await running
    } finally {
      this.#inFlight.delete(running)
    }
  }
}

/** The same for a request that nothing protects: functions just run, and nothing is remembered. */
export function unprotectedSteps(journal: Journal | undefined): StepRunner {
  return {
    step: async (_name, fn) => fn(),
    async transaction<Transaction, T>(
      name: string,
      fn: (transaction: Transaction) => T | Promise<T>,
      { within }: TransactionOptions = {},
    ): Promise<T> {
      if (journal === undefined) throw transactionUnavailable(name)
      const told: T[] = []
      await journal.transact({
        ...(within !== undefined && { within }),
        // See #transaction.
        work: (transaction) =>
          after(fn(transaction as Transaction), (value) => {
            told[0] = value
            return { kind: 'nothing' }
          }),
      })
      // The journal rejects unless `work` has run to its end.
      return told[0] as T
    },
  }
}

export function transactionUnavailable(name: string): IdempotencyError {
  return new IdempotencyError(
    'transaction-unavailable',
    `transaction("${name}") needs a journal in the application's database: set the "journal" option (hapax/journal), or use step().`,
  )
}

/** Goes on with the value, at once where it is no promise. */
export function after<T, Next>(value: T | Promise<T>, next: (value: T) => Next): Next | Promise<Next> {
  return isPromise(value) ? Promise.resolve(value).then(next) : next(value)
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}

/** Printable, and short enough to be an index's key anywhere. */
const stepName = /^\P{C}{1,200}$/u

function inputDigest(input: unknown): Fingerprint {
  try {
    return payloadFingerprint(input)
  } catch (error) {
    if (error instanceof TypeError) throw invalidOption('input', 'a JSON value, a string or bytes', input)
    throw error
  }
}

function saysNoEffect(noEffect: StepOptions['noEffect'], error: unknown): boolean {
  try {
    return noEffect?.(error) === true
  } catch {
    return false
  }
}

function invalidName(name: unknown): IdempotencyError {
  return new IdempotencyError(
    'invalid-step',
    `A step needs a name of 1 to 200 printable characters; received ${JSON.stringify(name)?.slice(0, 60)}.`,
  )
}

function afterAnswer(name: string): IdempotencyError {
  return new IdempotencyError(
    'step-after-answer',
    `The step "${name}" came after the answer, which is being recorded. Await every step before answering.`,
  )
}

function duplicate(name: string): IdempotencyError {
  return new IdempotencyError(
    'duplicate-step',
    `There are two steps named "${name}" in one run, and a remembered result belongs to one. Give each its own name, for example with the item's id in it.`,
  )
}
