export interface CleanerSettings {
  /** Infinity: never. */
  readonly everyMs: number
  /** Deletes at most `limit` heads with their steps, and resolves to how many. */
  deleteExpired(limit: number): Promise<number>
}

/** How many heads one transaction deletes: an opening may have to wait for it. */
const batch = 200
const pauseMs = 20

/** Deletes what is past its time, a few at a time. */
export class Cleaner {
  readonly #settings: CleanerSettings
  #timer: NodeJS.Timeout | undefined
  #stopped = false
  #turn: Promise<void> = Promise.resolve()

  constructor(settings: CleanerSettings) {
    this.#settings = settings
  }

  /** Begins at the first call. */
  start(): void {
    // Spread out, so that processes which started at once do not clean at once.
    if (this.#timer === undefined) this.#arm(this.#settings.everyMs * (0.5 + Math.random() / 2))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#turn
  }

  #arm(delayMs: number): void {
    if (this.#stopped || delayMs === Number.POSITIVE_INFINITY) return
    this.#timer = setTimeout(() => {
      this.#turn = this.#clean()
    }, delayMs)
    this.#timer.unref()
  }

  async #clean(): Promise<void> {
    try {
      const deleted = await this.#settings.deleteExpired(batch)
      this.#arm(deleted < batch ? this.#settings.everyMs : pauseMs)
    } catch {
      // What is past its time is harmless where it lies. What is wrong with the database, openings will report.
      this.#arm(this.#settings.everyMs)
    }
  }
}
