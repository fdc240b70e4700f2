// One process with its engine: it has clocks, it stalls, it crashes, and a new life follows.

import type { Clock } from '../../../src/core/clock.ts'
import { Engine } from '../../../src/core/engine.ts'
import type { IdempotencyEvent } from '../../../src/core/events.ts'
import { readOptions } from '../../../src/core/option-readers.ts'
import { engineReaders, engineSettings } from '../../../src/core/options.ts'
import { SqlJournal } from '../../../src/journal/sql-journal.ts'
import type { Flaws } from '../seeded-bugs.ts'
import type { JournalDatabase } from './journal-database.ts'
import { SimulatedDialect } from './journal-dialect.ts'
import { type Caller, Link } from './link.ts'
import type { StoreMachine } from './store-machine.ts'
import type { World } from './world.ts'

const epochMs = 1_700_000_000_000

export class Server {
  readonly name: string
  readonly #world: World
  readonly #machine: StoreMachine
  readonly #database: JournalDatabase
  readonly #index: number
  readonly #flaws: Flaws
  #life: Life | undefined
  #lives = 0
  #wallOffsetMs: number
  /** What the machine's monotonic clock missed while it slept. */
  #sleptMs = 0
  #stalledUntilMs = 0
  #partitionedUntilMs = 0
  #wakesWithTimers = true
  #stalls = 0

  constructor(world: World, machine: StoreMachine, database: JournalDatabase, index: number, flaws: Flaws) {
    this.#world = world
    this.#machine = machine
    this.#database = database
    this.#index = index
    this.#flaws = flaws
    this.name = `server ${index + 1}`
    this.#wallOffsetMs = (world.chance(index, 11) % 4_000) - 2_000
    this.start()
  }

  get life(): Life | undefined {
    return this.#life
  }

  /** How often the process was stopped so far. */
  get stalls(): number {
    return this.#stalls
  }

  start(): void {
    if (this.#life !== undefined) return
    this.#lives += 1
    const life = new Life(this.#world, this, this.#index, this.#lives)
    life.open(this.#machine, this.#database, this.#flaws)
    this.#life = life
    this.#world.note({ kind: 'started', process: life.name })
  }

  crash(downMs: number): void {
    if (this.#life === undefined) return
    this.#world.note({ kind: 'crashed', process: this.#life.name })
    if (!this.isPartitioned) this.#database.disconnect(this.#life)
    this.#life = undefined
    this.#world.scheduler.after(downMs, () => this.start())
  }

  async shutdown(graceMs: number, downMs: number): Promise<void> {
    const life = this.#life
    if (life === undefined) return
    this.#world.note({ kind: 'closing', process: life.name })
    await life.engine.close({ graceMs })
    if (this.#life === life) this.crash(downMs)
  }

  stall(forMs: number, suspended: boolean): void {
    this.#stalls += 1
    this.#wakesWithTimers = this.#world.chance(this.#index, this.#stalls, 12) % 2 === 0
    const fromMs = Math.max(this.#stalledUntilMs, this.#world.nowMs)
    this.#stalledUntilMs = Math.max(this.#stalledUntilMs, this.#world.nowMs + forMs)
    if (suspended) this.#sleptMs += this.#stalledUntilMs - fromMs
  }

  /** Cuts the process off from the store: its messages, and those to it, are lost. */
  partition(forMs: number): void {
    this.#partitionedUntilMs = Math.max(this.#partitionedUntilMs, this.#world.nowMs + forMs)
  }

  get isPartitioned(): boolean {
    return this.#world.nowMs < this.#partitionedUntilMs
  }

  moveClock(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  nowMs(): number {
    return epochMs + this.#world.nowMs + this.#wallOffsetMs
  }

  monotonicMs(): number {
    return 5_000 + this.#world.nowMs - this.#sleptMs
  }

  /** Runs `callback` now or when the process wakes up, if `life` still lasts by then. */
  receive(life: Life, isTimer: boolean, callback: () => void): void {
    if (this.#life !== life) return
    if (this.#world.nowMs >= this.#stalledUntilMs) return callback()
    // Whether a process that wakes up looks at its timers or at its sockets first is chance.
    const afterMs = isTimer === this.#wakesWithTimers ? 0 : 1
    this.#world.scheduler.at(this.#stalledUntilMs + afterMs, () => this.receive(life, isTimer, callback))
  }
}

export interface Exchange {
  readonly number: number
  readonly hangs: boolean
}

/** From a start of the process to its end. */
export class Life implements Caller {
  readonly name: string
  readonly index: number
  readonly life: number
  readonly server: Server
  /** Requests that have not been answered yet. */
  readonly exchanges = new Set<Exchange>()
  readonly #world: World
  readonly #deferrals = new Map<string, number>()
  #engine: Engine | undefined

  constructor(world: World, server: Server, index: number, life: number) {
    this.#world = world
    this.server = server
    this.index = index
    this.life = life
    this.name = life === 1 ? server.name : `${server.name} (life ${life})`
  }

  get engine(): Engine {
    if (this.#engine === undefined) throw new Error('This process has not been started.')
    return this.#engine
  }

  open(machine: StoreMachine, database: JournalDatabase, flaws: Flaws): void {
    const { plan } = this.#world
    const link = new Link(this.#world, machine, this, flaws)
    const clock = this.#clock()
    const options = {
      store: link,
      clock,
      ...(plan.journal !== 'none' && { journal: this.#journal(database, flaws, clock) }),
      storeTimeout: plan.storeTimeoutMs,
      onStoreError: plan.bypass ? 'bypass' : 'reject',
      on: (event: IdempotencyEvent) => this.#hear(event),
      maxWaiters: 2,
    }
    this.#engine = new Engine(
      engineSettings(
        readOptions(
          options,
          engineReaders(() => link),
        ),
      ),
    )
  }

  /** The journal that ships, over a database of this world. */
  #journal(database: JournalDatabase, { journal = {} }: Flaws, timers: Clock): SqlJournal {
    const dialect = new SimulatedDialect(this.#world, database, this, journal)
    const { storeTimeoutMs } = this.#world.plan
    return new SqlJournal(dialect, {
      lockTimeoutMs: storeTimeoutMs,
      cleanEveryMs: Number.POSITIVE_INFINITY,
      timers,
    })
  }

  get isPartitioned(): boolean {
    return this.server.isPartitioned
  }

  receive(callback: () => void): void {
    this.server.receive(this, false, callback)
  }

  sleep(forMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#world.scheduler.after(forMs, () => this.server.receive(this, true, resolve))
    })
  }

  /** How many records of this key the engine could not write at once. */
  deferralsOf(key: string): number {
    return this.#deferrals.get(key) ?? 0
  }

  #clock(): Clock {
    const { scheduler } = this.#world
    return {
      now: () => this.server.nowMs(),
      monotonic: () => this.server.monotonicMs(),
      setTimer: (callback, delayMs) => {
        let armed = true
        const callOff = scheduler.after(delayMs, () =>
          this.server.receive(this, true, () => {
            if (armed) callback()
          }),
        )
        return {
          cancel: () => {
            armed = false
            callOff()
          },
        }
      },
    }
  }

  #hear(event: IdempotencyEvent): void {
    this.#world.tell(() => `  ${this.name}: ${event.type}`)
    if (event.type === 'record-deferred') this.#deferrals.set(event.key, this.deferralsOf(event.key) + 1)
  }
}
