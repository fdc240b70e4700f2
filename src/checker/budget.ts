/** Counts executions that may have happened, so that a live API never gets more than the user allowed. */
export class Budget {
  readonly max: number
  #used = 0

  constructor(max: number) {
    this.max = max
  }

  get used(): number {
    return this.#used
  }

  get left(): number {
    return this.max - this.#used
  }

  /** Counts a request as an execution before it is sent. Throws when that could break the limit. */
  reserve(count: number): void {
    if (this.#used + count > this.max) throw new OverBudget(this.max)
    this.#used += count
  }

  /** Gives back one: the answer shows that nothing ran for it. */
  release(): void {
    this.#used -= 1
  }
}

export class OverBudget extends Error {
  constructor(max: number) {
    super(`it could exceed --max-effects ${max}`)
    this.name = 'OverBudget'
  }
}
