import { type CaseClass, type CaseResult, classOf, type Verdict } from '../model.ts'
import type { CheckReport } from '../run.ts'

export type Counts = Readonly<Record<Verdict, number>>

export const verdictOrder: readonly Verdict[] = ['fail', 'warn', 'inconclusive', 'report', 'pass', 'skipped']

export function countVerdicts(results: readonly CaseResult[]): Counts {
  const counts: Record<Verdict, number> = {
    pass: 0,
    fail: 0,
    warn: 0,
    report: 0,
    inconclusive: 0,
    skipped: 0,
  }
  for (const result of results) counts[result.verdict] += 1
  return counts
}

/** 0: no failure; 1: a failure; 2: nothing could be judged, or the target went away. Strict counts warnings and inconclusive rows too. */
export function exitCodeOf(report: CheckReport, strict: boolean): 0 | 1 | 2 {
  const counts = countVerdicts(report.results)
  if (counts.fail > 0) return 1
  const judged = report.results.some(
    ({ case: one, verdict }) => one.level !== 'METHOD' && verdict !== 'inconclusive' && verdict !== 'skipped',
  )
  const asked = report.results.some(({ case: one }) => one.level !== 'METHOD')
  if ((asked && !judged) || report.facts.stopped) return 2
  return strict && counts.warn + counts.inconclusive > 0 ? 1 : 0
}

/** What costs most when it fails comes first: a second effect, then a wrong answer, then the rest. */
const gravity: readonly CaseClass[] = [
  'CON',
  'FLT',
  'FID',
  'MM',
  'SCO',
  'ERR',
  'EXP',
  'LRG',
  'MTH',
  'MIS',
  'SYN',
]

/** Safety failures first, and among them what costs most. */
export function failures(report: CheckReport): CaseResult[] {
  const failed = report.results.filter((result) => result.verdict === 'fail')
  return failed.toSorted((a, b) => weight(a) - weight(b))
}

function weight({ case: one }: CaseResult): number {
  return (one.safety ? 0 : 100) + gravity.findIndex((name) => name === classOf(one.id))
}

/** One sentence for the whole run. */
export function sentence(report: CheckReport): string {
  const counts = countVerdicts(report.results)
  const grave = failures(report).filter((result) => result.case.safety).length
  const rest = [
    amount(counts.pass, 'passed', 'passed'),
    amount(counts.report, 'reported', 'reported'),
    amount(counts.warn, 'warning', 'warnings'),
    amount(counts.inconclusive, 'inconclusive', 'inconclusive'),
    amount(counts.skipped, 'skipped', 'skipped'),
  ].filter((part) => part !== '')
  const head = counts.fail === 0 ? wordsWithoutFailure(report) : failureWords(counts.fail, grave)
  return `${head}: ${rest.join(', ')}.`
}

function wordsWithoutFailure(report: CheckReport): string {
  if (report.facts.stopped) return 'The target stopped taking connections'
  return exitCodeOf(report, false) === 2 ? 'Nothing could be judged' : 'No failure'
}

export function endpoint(report: CheckReport): string {
  const { origin, method, path } = report.target
  const host = origin.host.includes(':') ? `[${origin.host}]` : origin.host
  const port = origin.port === (origin.secure ? 443 : 80) ? '' : `:${origin.port}`
  return `${method} ${origin.secure ? 'https' : 'http'}://${host}${port}${path}`
}

/** How executions were told apart, in words. */
export function judgedBy(report: CheckReport): string {
  const { target, facts } = report
  const witness =
    facts.witness === undefined
      ? undefined
      : `${facts.witness.kind === 'pointer' ? facts.witness.pointer : facts.witness.name}${facts.witnessGuessed ? ' (guessed; --witness to say otherwise)' : ''}`
  if (target.probe !== undefined) return `effects counted by ${target.probe.url}`
  return `executions told apart by ${witness}; a server that runs twice and answers with the first result would pass: --probe sees that too`
}

function failureWords(all: number, grave: number): string {
  if (all === 1) return grave === 1 ? '1 failure, about safety' : '1 failure'
  return `${all} failures${grave === 0 ? '' : `, ${grave === all ? 'all' : grave} about safety`}`
}

function amount(count: number, one: string, many: string): string {
  return count === 0 ? '' : `${count} ${count === 1 ? one : many}`
}
