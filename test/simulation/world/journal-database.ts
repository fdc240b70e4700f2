// The application's database, with the journal in it: transactions that stay open, row locks, and a commit that is
// durable. What a transaction wrote is seen when it is committed (READ COMMITTED), and lost when its session ends.

import type { StepRecord } from '../../../src/core/record.ts'
import type { Life } from './server.ts'
import type { World } from './world.ts'

export interface HeadRow {
  readonly token: number
  readonly fingerprint: string
  readonly keepUntilMs: number
}

export interface StepRow {
  readonly token: number
  readonly step: StepRecord
}

export type Strength = 'share' | 'alone'

/** What a server says when it can't go on with a session or a statement. */
export class DatabaseError extends Error {}

interface Lock {
  readonly holders: Map<Session, Strength>
  readonly waiting: Set<() => void>
}

export class JournalDatabase {
  readonly heads = new Map<string, HeadRow>()
  /** By the record's id, then by the step's name, in the order in which they began. */
  readonly steps = new Map<string, Map<string, StepRow>>()
  readonly #world: World
  readonly #sessions = new Set<Session>()
  readonly #locks = new Map<string, Lock>()
  #downUntilMs = 0

  constructor(world: World) {
    this.#world = world
  }

  get nowMs(): number {
    return this.#world.nowMs
  }

  get isDown(): boolean {
    return this.#world.nowMs < this.#downUntilMs
  }

  connect(life: Life, idleMs: number | undefined): Session {
    const session = new Session(this.#world, this, life, idleMs)
    this.#sessions.add(session)
    return session
  }

  /** The server is killed and comes back: what was committed stands. */
  restart(downMs: number): void {
    this.#downUntilMs = Math.max(this.#downUntilMs, this.#world.nowMs + downMs)
    for (const session of this.#sessions) session.end()
  }

  /** The process at the other end is gone. */
  disconnect(life: Life): void {
    for (const session of this.#sessions) if (session.life === life) session.end()
  }

  /** Deletes what is over, but for what somebody holds. */
  clean(): string[] {
    const over = [...this.heads].filter(([id, head]) => head.keepUntilMs < this.nowMs && !this.#isLocked(id))
    for (const [id] of over) {
      this.heads.delete(id)
      this.steps.delete(id)
    }
    return over.map(([id]) => id)
  }

  /** Resolves when the session has the lock on this head; rejects after `timeoutMs`, or at the session's end. */
  async lock(session: Session, id: string, strength: Strength, timeoutMs: number | undefined): Promise<void> {
    const lock = this.#lockOf(id)
    const untilMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : this.nowMs + timeoutMs
    while (!isFree(lock, session, strength)) {
      if (session.isOver) throw new DatabaseError('The session has ended.')
      if (this.nowMs >= untilMs) throw new DatabaseError('canceling statement due to lock timeout')
      await this.#change(lock, untilMs)
    }
    if (session.isOver) throw new DatabaseError('The session has ended.')
    const held = lock.holders.get(session)
    lock.holders.set(session, held === 'alone' ? 'alone' : strength)
  }

  release(session: Session): void {
    this.#sessions.delete(session)
    for (const [id, lock] of this.#locks) {
      lock.holders.delete(session)
      // All look again, also for their own session's end.
      for (const wake of lock.waiting) wake()
      if (lock.holders.size === 0 && lock.waiting.size === 0) this.#locks.delete(id)
    }
  }

  #change(lock: Lock, untilMs: number): Promise<void> {
    return new Promise((resolve) => {
      const callOff =
        untilMs === Number.POSITIVE_INFINITY ? () => {} : this.#world.scheduler.at(untilMs, () => wake())
      const wake = () => {
        lock.waiting.delete(wake)
        callOff()
        resolve()
      }
      lock.waiting.add(wake)
    })
  }

  #lockOf(id: string): Lock {
    const lock = this.#locks.get(id) ?? { holders: new Map(), waiting: new Set() }
    this.#locks.set(id, lock)
    return lock
  }

  #isLocked(id: string): boolean {
    return (this.#locks.get(id)?.holders.size ?? 0) > 0
  }
}

function isFree({ holders }: Lock, session: Session, strength: Strength): boolean {
  for (const [holder, held] of holders) {
    if (holder !== session && (held === 'alone' || strength === 'alone')) return false
  }
  return true
}

/** One connection in one transaction. */
export class Session {
  readonly life: Life
  /** The process has lost this connection; the server may not know yet. */
  hungUp = false
  readonly #world: World
  readonly #database: JournalDatabase
  /** The server ends a transaction that has been silent for so long. */
  readonly #idleMs: number | undefined
  readonly #writes: (() => void)[] = []
  #over = false
  #callOff: () => void = () => {}

  constructor(world: World, database: JournalDatabase, life: Life, idleMs: number | undefined) {
    this.#world = world
    this.#database = database
    this.life = life
    this.#idleMs = idleMs
  }

  get isOver(): boolean {
    return this.#over
  }

  /** What becomes true when the transaction is committed. */
  write(change: () => void): void {
    this.#writes.push(change)
  }

  /** A statement has arrived. */
  enter(): void {
    if (this.#over) throw new DatabaseError('Connection terminated unexpectedly')
    this.#callOff()
  }

  /** The statement is done: the transaction is silent until the next. */
  leave(): void {
    if (this.#over || this.#idleMs === undefined) return
    const { scheduler } = this.#world
    this.#callOff = scheduler.after(this.#idleMs, () => {
      this.#world.fault(
        'idle transaction',
        () => `the database ends a silent transaction of ${this.life.name}`,
      )
      this.end()
    })
  }

  commit(): void {
    for (const change of this.#writes) change()
    this.end()
  }

  /** Rolls back what was not committed. */
  end(): void {
    if (this.#over) return
    this.#over = true
    this.#callOff()
    this.#database.release(this)
  }
}
