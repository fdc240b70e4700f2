// The journal's statements, as a database understands them, over a connection that may break: under them runs the
// journal that ships, `src/journal/sql-journal.ts`.

import type { HeldLease } from '../../../src/core/store.ts'
import type { StepRecord } from '../../../src/core/record.ts'
import type { Connection, Dialect, Found, Reply, TransactionSettings } from '../../../src/journal/dialect.ts'
import type { Head } from '../../../src/journal/head.ts'
import { compareFingerprints } from '../../../src/protocol/fingerprint.ts'
import type { JournalFlaws } from '../journal-bugs.ts'
import {
  DatabaseError,
  type HeadRow,
  type JournalDatabase,
  type Session,
  type Strength,
} from './journal-database.ts'
import { fateOf } from './network.ts'
import type { Life } from './server.ts'
import type { World } from './world.ts'

/** What the application gets inside a transaction. */
export interface JournalTransaction {
  /** Writes a payment, which is there when the transaction is committed. */
  pay(change: () => void): Promise<void>
}

/** Marks the messages of this connection among the chances of a world. */
const sqlSalt = 40

export class SimulatedDialect implements Dialect {
  readonly name = 'simulated'
  readonly #world: World
  readonly #database: JournalDatabase
  readonly #life: Life
  readonly #flaws: JournalFlaws
  readonly #lockTimeoutMs: number
  #sent = 0

  constructor(world: World, database: JournalDatabase, life: Life, flaws: JournalFlaws) {
    this.#world = world
    this.#database = database
    this.#life = life
    this.#flaws = flaws
    this.#lockTimeoutMs = world.plan.storeTimeoutMs
  }

  async prepare(): Promise<void> {}

  begin(lease: HeldLease, keepMs: number): Promise<boolean> {
    return this.#alone('begin', async (session) => {
      const { heads } = this.#database
      await this.#database.lock(session, lease.id, 'alone', this.#lockTimeoutMs)
      if (heads.has(lease.id)) return false
      const { token, fingerprint } = lease
      heads.set(lease.id, { token, fingerprint, keepUntilMs: this.#database.nowMs + keepMs })
      return true
    })
  }

  enter(lease: HeldLease, keepMs: number): Promise<void> {
    return this.#alone('enter', async (session) => {
      const { heads } = this.#database
      await this.#database.lock(session, lease.id, 'alone', this.#lockTimeoutMs)
      const head = heads.get(lease.id)
      if (head !== undefined && !this.#mayEnter(head, lease)) return
      const keepUntilMs = Math.max(head?.keepUntilMs ?? 0, this.#database.nowMs + keepMs)
      const { token, fingerprint } = lease
      const kept = this.#flaws.headOfAnyRequest === true ? undefined : head?.fingerprint
      heads.set(lease.id, { token, fingerprint: kept ?? fingerprint, keepUntilMs })
    })
  }

  read(id: string): Promise<Found | undefined> {
    return this.#alone('read', () => {
      const head = this.#headOf(id)
      if (head === undefined) return undefined
      return { head, steps: [...(this.#database.steps.get(id)?.values() ?? [])].map(({ step }) => step) }
    })
  }

  putStep(lease: HeldLease, step: StepRecord): Promise<boolean> {
    return this.#alone('step', async (session) => {
      await this.#database.lock(session, lease.id, 'share', this.#lockTimeoutMs)
      if (!this.#holds(lease)) return false
      this.#put(lease, step)
      return true
    })
  }

  addStep(transaction: Connection, lease: HeldLease, step: StepRecord): Promise<boolean> {
    const { session, beganUnder } = opened(transaction)
    return this.#statement(session, 'last statement', async () => {
      if (this.#flaws.fence === 'at-the-beginning') {
        if (beganUnder.get(lease.id)?.token !== lease.token) return false
      } else if (this.#flaws.fence !== 'left-out') {
        await this.#database.lock(session, lease.id, 'share', undefined)
        if (!this.#holds(lease)) return false
      }
      if (this.#database.steps.get(lease.id)?.has(step.name)) {
        throw new DatabaseError('duplicate key value violates unique constraint')
      }
      session.write(() => this.#put(lease, step))
      return true
    })
  }

  async transaction<T>(
    { idleMs }: TransactionSettings,
    work: (transaction: Connection, native: unknown) => Promise<T>,
  ): Promise<T> {
    const session = this.#database.connect(this.#life, idleMs)
    const transaction = new OpenTransaction(session)
    const native: JournalTransaction = {
      pay: (change) => this.#statement(session, 'payment', () => session.write(change)),
    }
    try {
      await this.#statement(session, 'BEGIN', () => {
        for (const [id, head] of this.#database.heads) transaction.beganUnder.set(id, head)
      })
      const result = await work(transaction, native)
      await this.#statement(session, 'COMMIT', () => session.commit())
      return result
    } catch (error) {
      await this.#statement(session, 'ROLLBACK', () => session.end()).catch(ignore)
      throw error
    }
  }

  lockHead(transaction: Connection, id: string, strength: Strength): Promise<Head | undefined> {
    const { session } = opened(transaction)
    return this.#statement(session, 'lock', async () => {
      await this.#database.lock(session, id, strength, this.#lockTimeoutMs)
      return this.#headOf(id)
    })
  }

  tokenOf(transaction: Connection, id: string, name: string): Promise<number | undefined> {
    return this.#statement(opened(transaction).session, 'question', () => {
      if (this.#flaws.takesLostCommitsForNone === true) return undefined
      return this.#database.steps.get(id)?.get(name)?.token
    })
  }

  deleteStep(transaction: Connection, id: string, name: string): Promise<void> {
    const { session } = opened(transaction)
    return this.#statement(session, 'undo', () =>
      session.write(() => void this.#database.steps.get(id)?.delete(name)),
    )
  }

  renewHead(transaction: Connection, { id, token, fingerprint }: HeldLease, keepMs: number): Promise<void> {
    const { session } = opened(transaction)
    return this.#statement(session, 'renewal', () =>
      session.write(() => {
        if (this.#flaws.keepsTheStepsOfOthers !== true) this.#database.steps.delete(id)
        this.#database.heads.set(id, { token, fingerprint, keepUntilMs: this.#database.nowMs + keepMs })
      }),
    )
  }

  /** The plan says when the cleaner comes. */
  deleteOver(): Promise<number> {
    return Promise.resolve(0)
  }

  connectionOf(): Connection | undefined {
    return undefined
  }

  mark(): Promise<boolean> {
    return Promise.resolve(false)
  }

  async returnTo(): Promise<void> {}

  // ---- the rules of the SQL

  #mayEnter(head: HeadRow, lease: HeldLease): boolean {
    if (head.token > lease.token) return false
    return this.#flaws.headOfAnyRequest === true || isSame(head.fingerprint, lease.fingerprint)
  }

  #holds(lease: HeldLease): boolean {
    return this.#database.heads.get(lease.id)?.token === lease.token
  }

  #headOf(id: string): Head | undefined {
    const head = this.#database.heads.get(id)
    return head && { ...head, isOver: head.keepUntilMs < this.#database.nowMs }
  }

  #put({ id, token }: HeldLease, step: StepRecord): void {
    const steps = this.#database.steps.get(id) ?? new Map()
    steps.set(step.name, { token, step })
    this.#database.steps.set(id, steps)
  }

  // ---- the way there and back

  /** A statement in a transaction of its own. */
  #alone<T>(what: string, work: (session: Session) => T | Promise<T>): Promise<T> {
    const session = this.#database.connect(this.#life, undefined)
    return this.#statement(session, what, async () => {
      try {
        return await work(session)
      } finally {
        session.end()
      }
    })
  }

  #statement<T>(session: Session, what: string, work: () => T | Promise<T>): Promise<T> {
    if (session.hungUp) return Promise.reject(new DatabaseError('The connection is closed.'))
    const number = this.#sent
    const there = this.#fate(`${what} to the database`)
    const back = this.#fate(`${what} to the process`)
    return new Promise((resolve, reject) => {
      const breakOff = (afterMs: number) => {
        session.hungUp = true
        this.#hangUp(session)
        this.#deliver(afterMs, () => reject(new DatabaseError('Connection terminated unexpectedly')))
      }
      const arrive = async () => {
        let reply: () => void
        try {
          if (this.#database.isDown) throw new DatabaseError('The database does not answer.')
          session.enter()
          const result = await work()
          session.leave()
          this.#world.tell(() => `  the database: ${this.#life.name}'s ${what}: done`)
          reply = () => resolve(result)
        } catch (error) {
          this.#world.tell(() => `  the database: ${this.#life.name}'s ${what}: ${String(error)}`)
          reply = () => reject(error)
        }
        if (back.lost || back.reset || this.#life.isPartitioned) return breakOff(back.delayMs)
        if (what === 'COMMIT' && this.#losesCommit(number)) return breakOff(back.delayMs)
        this.#deliver(back.delayMs, reply)
      }
      if (this.#life.isPartitioned || there.lost) return breakOff(this.#lockTimeoutMs)
      if (there.reset) breakOff(1)
      this.#world.scheduler.after(there.delayMs, () => void arrive())
    })
  }

  #losesCommit(number: number): boolean {
    const { plan, healed } = this.#world
    if (healed || this.#world.chance(...this.#about(number), 7) % 1000 >= plan.lostCommits) return false
    const name = `lost answer to COMMIT: message ${number} of ${this.#life.name}`
    if (plan.muted.has(name)) return false
    this.#world.messageFaults.push(name)
    this.#world.fault('lost answer to COMMIT', () => name)
    return true
  }

  /** The server learns that a connection broke after some time only, and keeps its transaction open until then. */
  #hangUp(session: Session): void {
    const afterMs = this.#world.chance(...this.#about(this.#sent), 8)
    this.#world.scheduler.after(1 + (afterMs % this.#world.plan.leaseMs), () => session.end())
  }

  #about(number: number): readonly number[] {
    const { index, life } = this.#life
    return [index, life, sqlSalt, number]
  }

  #deliver(delayMs: number, callback: () => void): void {
    this.#world.scheduler.after(delayMs, () => this.#life.receive(callback))
  }

  #fate(title: string) {
    this.#sent += 1
    const number = this.#sent
    const name = () => `message ${number} of ${this.#life.name}, ${title}`
    const fate = fateOf(this.#world, this.#about(number), name, false)
    const { delayMs } = this.#world.plan.network
    // One round trip of the store is several here.
    return fate.delayMs > delayMs ? fate : { ...fate, delayMs: Math.ceil(fate.delayMs / 4) }
  }
}

class OpenTransaction implements Connection {
  readonly session: Session
  /** What a snapshot at the first statement sees: for a seeded bug. */
  readonly beganUnder = new Map<string, HeadRow>()

  constructor(session: Session) {
    this.session = session
  }

  query(): Promise<Reply> {
    return Promise.reject(new Error('This database understands no SQL.'))
  }
}

function opened(transaction: Connection): OpenTransaction {
  if (transaction instanceof OpenTransaction) return transaction
  throw new Error('This transaction is of another database.')
}

function isSame(first: string, second: string): boolean {
  return compareFingerprints(first, second) === 'same'
}

function ignore(): void {}
