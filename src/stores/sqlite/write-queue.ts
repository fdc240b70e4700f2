/** What the queue needs of the database. */
export interface Transactions {
  /** Runs `work` in one step and returns the ids that it changed. Throws if nothing was written. */
  transaction(work: () => void): ReadonlySet<string>
  /** To be called after it. Resolves when what it read and wrote is on the disk; undefined: it is already. */
  durable(changed: ReadonlySet<string>): Promise<void> | undefined
  isBusy(error: unknown): boolean
  /** The error that a caller gets. */
  explain(error: unknown): Error
  /** Called when a commit is on the disk. */
  onChanged(ids: ReadonlySet<string>): void
}

interface Operation {
  /** Computes the result inside a transaction. Called again if that is rolled back. */
  run(): void
  /** Hands the result out. */
  acknowledge(): void
  reject(error: Error): void
  readonly weight: number
  readonly giveUpMs: number
  /** It was in a transaction that failed, perhaps by the fault of another. */
  alone: boolean
}

type CommitOutcome =
  | { readonly kind: 'committed'; readonly changed: ReadonlySet<string> }
  | { readonly kind: 'failed'; readonly error: unknown }

const batch = { operations: 256, weight: 8 * 1024 * 1024 }
const longestPauseMs = 25
const longestGatheringMs = 2

/**
 * Group commit: operations that arrive in the same turns of the event loop share one transaction, and so one
 * wait for the disk. The longer that takes, the more operations gather for the next transaction: it begins when the
 * one before is on the disk.
 *
 * An operation is acknowledged only after its transaction was committed and is on the disk. Where a transaction fails, its
 * operations are tried one by one, so that none fails by the fault of another.
 */
export class WriteQueue {
  readonly #transactions: Transactions
  readonly #busyTimeoutMs: number
  #waiting: Operation[] = []
  #scheduled = false
  #syncing = false
  #failedTries = 0
  #onEmpty: (() => void) | undefined

  constructor(transactions: Transactions, busyTimeoutMs: number) {
    this.#transactions = transactions
    this.#busyTimeoutMs = busyTimeoutMs
  }

  /** `weight`: about how many bytes `run` writes. */
  submit<T>(run: () => T, weight: number): Promise<T> {
    return new Promise((resolve, reject) => {
      let result: { readonly value: T } | undefined
      this.#waiting.push({
        run: () => {
          result = { value: run() }
        },
        acknowledge: () => {
          if (result !== undefined) resolve(result.value)
        },
        reject,
        weight,
        giveUpMs: performance.now() + this.#busyTimeoutMs,
        alone: false,
      })
      this.#schedule()
    })
  }

  /** Resolves when every operation that was submitted so far has ended. */
  async drain(): Promise<void> {
    if (this.#waiting.length === 0 && !this.#syncing) return
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve
    })
  }

  #schedule(): void {
    if (this.#scheduled || this.#syncing || this.#waiting.length === 0) return
    this.#scheduled = true
    this.#gather(0, performance.now() + longestGatheringMs)
  }

  /** Waits for as long as each turn of the event loop brings more: a commit costs the same for few as for many. */
  #gather(before: number, endMs: number): void {
    setImmediate(() => {
      const { length } = this.#waiting
      const isWorthMore = length > before && length < batch.operations && performance.now() < endMs
      if (isWorthMore) this.#gather(length, endMs)
      else this.#flush()
    })
  }

  #flush(): void {
    this.#scheduled = false
    const operations = this.#take()
    const outcome = this.#commit(operations)
    if (outcome.kind === 'committed') return this.#sync(operations, outcome.changed)
    if (this.#transactions.isBusy(outcome.error)) return this.#pause(operations, outcome.error)
    this.#isolate(operations, outcome.error)
    this.#continue()
  }

  #sync(operations: readonly Operation[], changed: ReadonlySet<string>): void {
    this.#failedTries = 0
    const acknowledge = () => {
      this.#syncing = false
      for (const operation of operations) operation.acknowledge()
      this.#transactions.onChanged(changed)
      this.#continue()
    }
    const durable = this.#transactions.durable(changed)
    if (durable === undefined) return acknowledge()
    this.#syncing = true
    durable.then(acknowledge, (error: unknown) => {
      this.#syncing = false
      for (const operation of operations) operation.reject(this.#transactions.explain(error))
      this.#continue()
    })
  }

  #continue(): void {
    this.#schedule()
    if (this.#waiting.length === 0) this.#onEmpty?.()
  }

  #commit(operations: readonly Operation[]): CommitOutcome {
    try {
      const changed = this.#transactions.transaction(() => {
        for (const operation of operations) operation.run()
      })
      return { kind: 'committed', changed }
    } catch (error) {
      return { kind: 'failed', error }
    }
  }

  #take(): Operation[] {
    let count = 0
    let weight = 0
    for (const operation of this.#waiting) {
      const isFull = count >= batch.operations || weight + operation.weight > batch.weight
      if (count > 0 && (isFull || operation.alone)) break
      count += 1
      weight += operation.weight
      if (operation.alone) break
    }
    return this.#waiting.splice(0, count)
  }

  #isolate(operations: readonly Operation[], error: unknown): void {
    if (operations.length <= 1) {
      for (const operation of operations) operation.reject(this.#transactions.explain(error))
      return
    }
    for (const operation of operations) operation.alone = true
    this.#waiting.unshift(...operations)
  }

  /** Another process holds the lock: tries again later, without blocking the event loop meanwhile. */
  #pause(operations: readonly Operation[], error: unknown): void {
    this.#waiting.unshift(...operations)
    const nowMs = performance.now()
    const [overdue, patient] = partition(this.#waiting, ({ giveUpMs }) => giveUpMs <= nowMs)
    this.#waiting = patient
    for (const operation of overdue) operation.reject(this.#transactions.explain(error))
    if (patient.length === 0) return this.#continue()

    this.#scheduled = true
    const mostMs = Math.min(2 ** this.#failedTries, longestPauseMs)
    this.#failedTries += 1
    // Not the injectable clock: the lock is real, and a program with nothing else to do must wait for it.
    setTimeout(() => this.#flush(), 1 + Math.random() * mostMs)
  }
}

function partition<T>(items: readonly T[], isFirst: (item: T) => boolean): [first: T[], rest: T[]] {
  const first: T[] = []
  const rest: T[] = []
  for (const item of items) (isFirst(item) ? first : rest).push(item)
  return [first, rest]
}
