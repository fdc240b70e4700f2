import type { Row } from './database.ts'
import { isUndone } from './errors.ts'
import type { Asked, Session } from './session.ts'
import type { Statement } from './statements.ts'

/** Two statements for the same: the one for a single member, the other for many, with a row for each in their order. */
export interface GatheredStatements {
  readonly alone: Statement
  readonly together: Statement
}

interface Member {
  readonly asked: Asked
  readonly bytes: number
  readonly resolve: (row: Row | undefined) => void
  readonly reject: (error: unknown) => void
}

const largest = { members: 64, bytes: 256 * 1024 }
/** What is longer goes alone, so that the others need not wait for it. */
const largestMemberBytes = 16 * 1024
/** While so many statements are under way, what comes waits for one of them to return… */
const mostUnderWay = 4
/** …but no longer than this: they may be held up, on connections that are dead, where others are not. */
const patienceMs = 100

/**
 * Sends what is asked at the same time in one statement, since a statement costs the server more than a row, and its
 * commit costs as much for one as for many. The first goes at once, by itself; what comes in the same turn of the event
 * loop while it is under way goes together. The busier the server is, the more gather.
 *
 * Each member has its own outcome, as if it had been sent alone. Where the server refuses a statement of many, it has
 * undone it, and each is sent alone: none fails by the fault of another. Where nobody knows what became of the statement,
 * nobody knows of any of them.
 */
export class Gathering {
  readonly #session: Session
  readonly #statements: GatheredStatements
  #waiting: Member[] = []
  #underWay = 0
  #isTurnAwaited = false
  #overdue: NodeJS.Timeout | undefined

  constructor(session: Session, statements: GatheredStatements) {
    this.#session = session
    this.#statements = statements
  }

  /** Resolves to the row of this member once the statement is committed. */
  run(members: object, body?: Buffer): Promise<Row | undefined> {
    const asked = { json: JSON.stringify(members), body }
    const bytes = asked.json.length + (body?.byteLength ?? 0)
    return this.#session.pass(() => {
      if (bytes > largestMemberBytes) return this.#alone(asked)
      if (this.#underWay === 0) return this.#first(asked)
      return new Promise((resolve, reject) => {
        this.#waiting.push({ asked, bytes, resolve, reject })
        this.#arrange()
      })
    })
  }

  /** Not queued: where requests come one by one, this is all that they meet. */
  #first(asked: Asked): Promise<Row | undefined> {
    this.#underWay += 1
    return this.#session.send(this.#statements.alone, asked).then(
      (rows) => {
        this.#returned()
        return rows[0]
      },
      (error: unknown) => {
        this.#returned()
        throw error
      },
    )
  }

  #arrange(): void {
    if (this.#waiting.length === 0) return
    if (this.#underWay < mostUnderWay) return this.#awaitTurn()
    this.#overdue ??= setTimeout(() => {
      this.#overdue = undefined
      this.#send()
    }, patienceMs)
  }

  #awaitTurn(): void {
    if (this.#isTurnAwaited) return
    this.#isTurnAwaited = true
    setImmediate(() => {
      this.#isTurnAwaited = false
      if (this.#underWay < mostUnderWay) this.#send()
    })
  }

  #send(): void {
    const members = this.#waiting.splice(0, this.#countThatFits())
    const [first] = members
    if (first === undefined) return
    clearTimeout(this.#overdue)
    this.#overdue = undefined
    this.#underWay += 1
    const sent = members.length === 1 ? this.#settleAlone(first) : this.#settleTogether(members)
    void sent.then(() => this.#returned())
    this.#arrange()
  }

  /** So whoever waits, waits for a statement that is under way. */
  #returned(): void {
    this.#underWay -= 1
    this.#send()
  }

  #countThatFits(): number {
    let bytes = 0
    const end = this.#waiting.findIndex((member, index) => {
      bytes += member.bytes
      return index > 0 && (index >= largest.members || bytes > largest.bytes)
    })
    return end === -1 ? this.#waiting.length : end
  }

  async #settleTogether(members: readonly Member[]): Promise<void> {
    try {
      const all = members.map(({ asked }) => asked)
      const rows = await this.#session.sendAll(this.#statements.together, all)
      for (const [index, member] of members.entries()) member.resolve(rows[index])
    } catch (error) {
      if (isUndone(error)) for (const member of members) void this.#settleAlone(member)
      else for (const member of members) member.reject(error)
    }
  }

  async #settleAlone({ asked, resolve, reject }: Member): Promise<void> {
    try {
      resolve(await this.#alone(asked))
    } catch (error) {
      reject(error)
    }
  }

  #alone(asked: Asked): Promise<Row | undefined> {
    return this.#session.send(this.#statements.alone, asked).then(([row]) => row)
  }
}
