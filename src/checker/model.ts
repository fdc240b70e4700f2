import type { Exchange } from './wire/message.ts'
import type { Trial } from './trial.ts'

/** The keyword of the cited source for a server. `BEYOND`: field practice or safety asks, no source does. */
export type Level = 'MUST' | 'SHOULD' | 'MAY' | 'BEYOND' | 'METHOD'

export type CaseClass =
  | 'CAL'
  | 'SYN'
  | 'MIS'
  | 'FID'
  | 'MM'
  | 'CON'
  | 'FLT'
  | 'ERR'
  | 'EXP'
  | 'SCO'
  | 'MTH'
  | 'LRG'

export type Verdict = 'pass' | 'fail' | 'warn' | 'report' | 'inconclusive' | 'skipped'

export type Profile = 'core' | 'safety' | 'full'

/** What a target has or allows beyond answering requests; a case that needs one it lacks is skipped. */
export type Capability =
  | 'probe'
  | 'slow'
  | 'fixture'
  | 'key-required'
  | 'key-optional'
  | 'key-in-header'
  | 'raw-keys'
  | 'credentials'
  | 'second-tenant'
  | 'second-credential'
  | 'second-url'
  | 'http2'
  | 'short-retention'
  | 'restart'
  | 'kill'
  | 'terminate'
  | 'store-outage'
  | 'gateway'
  | 'json'
  | 'patch'
  | 'resource'
  | 'long'
  | 'docs'

/** One row of the list: what is tried, why it matters, and the code that tries it. */
export type Case = {
  readonly id: string
  readonly level: Level
  /** The star: failing means a second effect, a wrong answer, a leak, or a key stuck for ever. */
  readonly safety: boolean
  readonly needs: readonly Capability[]
  readonly title: string
  readonly why: string
  readonly source: string
  /** Kept out of the core profile though its level and needs would allow it: heavy or rude to a live API. */
  readonly heavy?: boolean
  /** About how long it takes; the longest start first. */
  readonly seconds?: number
  /** Runs after all others and by itself: it stops, kills or starves the target, or needs it quiet. */
  readonly alone?: boolean
  /** Runs after everything: it looks at what the others saw. */
  readonly last?: boolean
  readonly run: (trial: Trial) => Promise<void>
}

export type Severity = 'fault' | 'warning'

/** One thing that was wrong: what, against what, and the exchanges that show it. */
export type Finding = {
  readonly severity: Severity
  readonly got: string
  readonly expected: string
  readonly exchanges: readonly Exchange[]
}

export type CaseResult = {
  readonly case: Case
  readonly verdict: Verdict
  /** One line: the finding, the report, or why it could not be judged. */
  readonly summary: string
  readonly findings: readonly Finding[]
  readonly notes: readonly string[]
  readonly exchanges: readonly Exchange[]
  /** Set for races: whose exchanges the diagram shows. */
  readonly race: readonly Exchange[] | undefined
  readonly durationMs: number
}

/** What the server chose where the sources leave a choice. Comparable between APIs. */
export type BehaviourCard = Readonly<Record<string, string>>

export function classOf(id: string): string {
  return id.slice(0, id.indexOf('-'))
}
