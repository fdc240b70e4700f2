import type { Row } from './database.ts'
import { isUndone } from './errors.ts'
import type { Session } from './session.ts'
import type { Statement } from './statements.ts'

/** What one member of a batch asks of the statement. */
export interface Asked {
  readonly id: string
  readonly asked: object
  readonly body?: Buffer
}

interface Member extends Asked {
  readonly weight: number
  resolve(row: Row | undefined): void
  reject(error: unknown): void
}

export interface GatheredStatements {
  readonly alone: Statement
  readonly together: Statement
}

const most = { members: 64, weight: 256 * 1024 }
const largestWeight = 16 * 1024
const atOnce = Number(process.env['K'] ?? 2)
const immediate = process.env['IMM'] === '1'

export class Gathering {
  readonly #session: Session
  readonly #statements: GatheredStatements
  #waiting: Member[] = []
  #underWay = 0
  #scheduled = false

  constructor(session: Session, statements: GatheredStatements) {
    this.#session = session
    this.#statements = statements
  }

  run(asked: Asked): Promise<Row | undefined> {
    return this.#session.pass(() => this.#submit(asked))
  }

  #submit(asked: Asked): Promise<Row | undefined> {
    const weight = asked.body?.byteLength ?? 0
    if (weight > largestWeight) return this.#alone(asked)
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...asked, weight, resolve, reject })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#scheduled || this.#underWay >= atOnce || this.#waiting.length === 0) return
    if (!immediate) return this.#flush()
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#flush()
    })
  }

  #flush(): void {
    const members = this.#take()
    this.#underWay += 1
    const [first] = members
    if (process.env['HIST']) hist[members.length] = (hist[members.length] ?? 0) + 1
    const sent =
      members.length === 1 && first !== undefined
        ? settle(first, this.#alone(first))
        : this.#together(members)
    void sent.then(() => {
      this.#underWay -= 1
      this.#schedule()
    })
    this.#schedule()
  }

  #take(): Member[] {
    const taken: Member[] = []
    const left: Member[] = []
    const ids = new Set<string>()
    let weight = 0
    for (const member of this.#waiting) {
      const fits = taken.length < most.members && weight + member.weight <= most.weight && !ids.has(member.id)
      if (!fits) {
        left.push(member)
        continue
      }
      ids.add(member.id)
      taken.push(member)
      weight += member.weight
    }
    this.#waiting = left
    return taken
  }

  async #together(members: readonly Member[]): Promise<void> {
    try {
      const rows = await this.#session.sendAll(this.#statements.together, members)
      members.forEach((member, index) => member.resolve(rows[index]))
    } catch (error) {
      if (!isUndone(error)) {
        for (const member of members) member.reject(error)
        return
      }
      for (const member of members) void settle(member, this.#alone(member))
    }
  }

  async #alone({ asked, body }: Asked): Promise<Row | undefined> {
    const [row] = await this.#session.send(this.#statements.alone, asked, body)
    return row
  }
}

async function settle(member: Member, sent: Promise<Row | undefined>): Promise<void> {
  try {
    member.resolve(await sent)
  } catch (error) {
    member.reject(error)
  }
}

const hist: number[] = []
if (process.env['HIST']) process.on('exit', () => process.stderr.write(`${JSON.stringify(hist)}\n`))
