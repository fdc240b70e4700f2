import { Served } from '../served.ts'

/** What `server.ts` is to be. */
export interface Subject {
  /** `none`: bare, without hapax. */
  readonly store: 'none' | 'redis' | 'sqlite'
  /** Whether a duplicate waits for its winner; else it gets 409. */
  readonly waits: boolean
  /** Other runs that are in progress from the start and never end. */
  readonly heldRuns: number
  readonly redisUrl: string
  /** For SQLite. */
  readonly file: string
}

export function startSubject(subject: Subject): Promise<Served> {
  return Served.fork('cost/server.ts', [JSON.stringify(subject)])
}
