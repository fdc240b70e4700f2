import { brief, printable } from '../answers.ts'
import { classOf, type CaseResult, type Finding, type Verdict } from '../model.ts'
import type { CheckReport } from '../run.ts'
import type { Target } from '../target.ts'
import { keyIn } from '../requests.ts'
import type { Exchange } from '../wire/message.ts'
import { checkAgain, curl } from './reproduce.ts'
import { endpoint, failures, judgedBy, sentence } from './summary.ts'

type Paint = (style: Style, text: string) => string
type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan'

const codes: Record<Style, string> = { bold: '1', dim: '2', red: '31', yellow: '33', green: '32', cyan: '36' }
const signs: Record<Verdict, string> = {
  pass: '✓',
  fail: '✗',
  warn: '!',
  report: 'i',
  inconclusive: '?',
  skipped: '-',
}
const styles: Record<Verdict, Style> = {
  pass: 'green',
  fail: 'red',
  warn: 'yellow',
  report: 'cyan',
  inconclusive: 'yellow',
  skipped: 'dim',
}

/** What a failing row shows of its findings: they are mostly of one kind. */
const maxFindings = 3

/** The report for a terminal: failures that matter most first, every row after, the behaviour card last. */
export function textReport(report: CheckReport, colour: boolean): string {
  const paint: Paint = (style, text) => (colour ? `\u001b[${codes[style]}m${text}\u001b[0m` : text)
  const seconds = Math.round(report.durationMs / 100) / 10
  const blocks = [
    [
      paint('bold', endpoint(report)),
      `profile ${report.profile}, ${report.results.length} rows in ${seconds} s, at most ${report.effects.used} executions (limit ${report.effects.max})`,
      judgedBy(report),
      `keys sent ${report.facts.keyForm}; a key is ${report.facts.keyRequired ? 'required' : 'optional'} here`,
    ].join('\n'),
    ...failures(report).map((result) => failureBlock(report, result, paint)),
    ...report.results
      .filter((result) => result.verdict === 'warn')
      .map((result) => failureBlock(report, result, paint)),
    rowsBlock(report, paint),
    cardBlock(report, paint),
    paint('bold', sentence(report)),
  ]
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`
}

/** One failing row as plain text: what was sent, what came back, what was expected, and how to see it again. */
export function failureText(report: CheckReport, result: CaseResult): string {
  return failureBlock(report, result, (_, text) => text)
}

function failureBlock(report: CheckReport, result: CaseResult, paint: Paint): string {
  const { case: one, verdict } = result
  const kind = verdict === 'fail' ? (one.safety ? 'FAIL, safety' : 'FAIL') : 'warning'
  const star = one.safety ? ' ★' : ''
  const lines = [
    `${paint(styles[verdict], `${signs[verdict]} ${one.id}${star}`)} ${paint('bold', one.title)} (${kind}; ${one.level})`,
  ]
  for (const finding of ordered(result.findings).slice(0, maxFindings))
    lines.push(...findingLines(report.target, finding))
  const more = result.findings.length - maxFindings
  if (more > 0) lines.push(`    and ${more} more ${more === 1 ? 'finding' : 'findings'} (--json has all)`)
  for (const note of result.notes) lines.push(`    note      ${note}`)
  lines.push(
    `    why       ${one.why}`,
    `    source    ${one.source}`,
    `    again     ${checkAgain(report, one.id).line}`,
  )
  const command = commandFor(report.target, result)
  if (command !== undefined) lines.push(`    by hand   ${command}`)
  return lines.join('\n')
}

function ordered(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'))
}

function findingLines(target: Target, finding: Finding): string[] {
  const lines = [`    got       ${finding.got}`, `    expected  ${finding.expected}`]
  for (const exchange of finding.exchanges.slice(0, 3)) {
    lines.push(`    sent      ${sentLine(target, exchange)}`, `    came back ${brief(exchange)}`)
  }
  if (finding.exchanges.length > 3)
    lines.push(`              and ${finding.exchanges.length - 3} more exchanges`)
  return lines
}

function sentLine(target: Target, exchange: Exchange): string {
  return sentParts(target, exchange).join('  ')
}

/** The request line, the key, and the body where there is one. */
export function sentParts(target: Target, exchange: Exchange): string[] {
  const { request } = exchange
  const key = keyIn(target, request)
  const name = target.key.kind === 'header' ? `${target.key.name}: ` : `${target.key.pointer} = `
  const body = printable(request.body ?? Buffer.alloc(0), 100)
  const parts = [`${request.method} ${request.target}`, key === undefined ? 'no key' : name + shown(key)]
  return body === '' ? parts : [...parts, body]
}

function shown(key: string): string {
  const text = key.length > 90 ? `${key.slice(0, 60)}… (${key.length} characters)` : key
  return text.replaceAll(
    /[^\x20-\x7e\u23ce\u2026]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
}

function commandFor(target: Target, result: CaseResult): string | undefined {
  const last = ordered(result.findings)[0]?.exchanges.at(-1)
  return last === undefined ? undefined : curl(target, last.request)?.line
}

function rowsBlock(report: CheckReport, paint: Paint): string {
  const lines: string[] = []
  let current = ''
  for (const result of report.results) {
    const { case: one, verdict, summary } = result
    const group = classOf(one.id)
    if (group !== current && current !== '') lines.push('')
    current = group
    const sign = paint(styles[verdict], signs[verdict])
    const head = `${sign} ${one.id.padEnd(6)} ${one.safety ? '★' : ' '} ${one.title}`
    lines.push(
      verdict === 'pass' || summary === ''
        ? head
        : `${head}: ${verdict === 'report' ? '' : `${verdict}, `}${summary}`,
    )
  }
  return lines.join('\n')
}

function cardBlock(report: CheckReport, paint: Paint): string {
  const entries = Object.entries(report.card)
  if (entries.length === 0) return ''
  const width = Math.max(...entries.map(([field]) => field.length))
  return [
    paint('bold', 'Behaviour card'),
    ...entries.map(([field, value]) => `  ${field.padEnd(width)}  ${value}`),
  ].join('\n')
}
