import type { CaseResult, Verdict } from '../../src/checker/model.ts'
import { countVerdicts } from '../../src/checker/report/summary.ts'
import type { CheckReport } from '../../src/checker/run.ts'
import { type Peer, versionsOf } from './peers.ts'

export interface PeerResult {
  readonly peer: Peer
  readonly report: CheckReport
  readonly crashes: number
}

const columns: readonly Verdict[] = ['pass', 'fail', 'warn', 'report', 'inconclusive', 'skipped']

/** The results as Markdown: one table of counts, then what each did otherwise than the row asks. */
export function peersTable(results: readonly PeerResult[], date: Date): string {
  const head = ['set-up', 'versions', ...columns, 'safety failures']
  const lines = [
    `Run on ${date.toISOString().slice(0, 10)} with Node ${process.versions.node}, one Redis for each.`,
    '',
    `| ${head.join(' | ')} |`,
    `|${head.map(() => '---').join('|')}|`,
    ...results.map(countsRow),
    '',
    ...results.flatMap(section),
  ]
  return `${lines.join('\n').trimEnd()}\n`
}

function countsRow({ peer, report }: PeerResult): string {
  const counts = countVerdicts(report.results)
  const safety = report.results.filter(({ case: one, verdict }) => verdict === 'fail' && one.safety).length
  const cells = [peer.name, versionsOf(peer) || '–', ...columns.map((verdict) => counts[verdict]), safety]
  return `| ${cells.join(' | ')} |`
}

function section({ peer, report, crashes }: PeerResult): string[] {
  const odd = report.results.filter(({ verdict }) => ['fail', 'warn', 'inconclusive'].includes(verdict))
  const crashed = crashes === 0 ? [] : [`The process ended by itself ${crashes} times during the run.`, '']
  return [
    `### ${peer.name}`,
    '',
    peer.setup,
    '',
    ...crashed,
    ...(odd.length === 0
      ? ['Nothing to report.']
      : ['| row | verdict | tried | seen |', '|---|---|---|---|']),
    ...odd.map(row),
    '',
  ]
}

function row({ case: one, verdict, summary }: CaseResult): string {
  const id = one.safety ? `${one.id} ★` : one.id
  return `| ${id} | ${verdict} | ${cell(one.title)} | ${cell(seen(summary))} |`
}

/** Without what changes from run to run. */
function seen(summary: string): string {
  const text = summary
    .replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '…')
    .replaceAll(/<[!/a-z][^>]*>/gi, ' ')
    .replaceAll(/\s+/g, ' ')
  return text.length > 160 ? `${text.slice(0, 157)}…` : text
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;')
}
