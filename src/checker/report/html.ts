import { answerOf, brief, printable } from '../answers.ts'
import { type CaseResult, classOf, type Finding, type Verdict } from '../model.ts'
import type { CheckReport } from '../run.ts'
import type { Target } from '../target.ts'
import type { Exchange } from '../wire/message.ts'
import { raceDiagram } from './diagram.ts'
import { escapeHtml } from './escape.ts'
import { checkAgain, curl } from './reproduce.ts'
import { style } from './style.ts'
import { countVerdicts, endpoint, exitCodeOf, failures, judgedBy, sentence, verdictOrder } from './summary.ts'
import { sentLine } from './text.ts'

const names: Record<Verdict, string> = {
  fail: 'failed',
  warn: 'warned',
  inconclusive: 'inconclusive',
  report: 'reported',
  pass: 'passed',
  skipped: 'skipped',
}

const classNames: Record<string, string> = {
  CAL: 'Calibration',
  SYN: 'Syntax of the key',
  MIS: 'Missing key',
  FID: 'Fidelity of the replay',
  MM: 'A key used for another request',
  CON: 'Concurrency',
  FLT: 'Faults, restarts, several instances',
  ERR: 'Errors',
  EXP: 'Expiry',
  SCO: 'Scope and isolation',
  MTH: 'Methods',
  LRG: 'Large and slow bodies',
}

/** The report as one self-contained file: no script, no font, no request to anywhere. */
export function htmlReport(report: CheckReport): string {
  const bad = [...failures(report), ...report.results.filter((result) => result.verdict === 'warn')]
  const races = report.results.filter(
    (result) => result.race !== undefined && result.race.length > 1 && !bad.includes(result),
  )
  const title = `${endpoint(report)}: idempotency`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><main>
${heading(report)}
${section(
  'Failures',
  bad.filter((result) => result.verdict === 'fail').map((result) => problemCard(report, result)),
)}
${section(
  'Warnings',
  bad.filter((result) => result.verdict === 'warn').map((result) => problemCard(report, result)),
)}
${behaviour(report)}
${section('Races', races.slice(0, 6).map(raceCard))}
<h2>All rows</h2>${rowsTable(report)}
<footer>Made by <code>hapax check</code> on ${report.startedAt.toISOString().slice(0, 16).replace('T', ' at ')} UTC. A row with a star is about safety: failing it means a second effect, a wrong answer, a leak, or a key stuck for ever. Credentials are left out of this page.</footer>
</main></body></html>
`
}

function heading(report: CheckReport): string {
  const counts = countVerdicts(report.results)
  const code = exitCodeOf(report, false)
  const [head = '', rest = ''] = sentence(report).split(': ')
  const bar = verdictOrder
    .filter((verdict) => counts[verdict] > 0)
    .map((verdict) => `<i style="flex:${counts[verdict]};background:var(--${colourOf(verdict)})"></i>`)
  const legend = verdictOrder
    .filter((verdict) => counts[verdict] > 0)
    .map(
      (verdict) =>
        `<li><span class="dot" style="background:var(--${colourOf(verdict)})"></span><b>${counts[verdict]}</b> ${names[verdict]}</li>`,
    )
  const seconds = Math.round(report.durationMs / 100) / 10
  return `<h1>Does this API keep its idempotency promise?</h1>
<p class="target">${escapeHtml(endpoint(report))}</p>
<p class="verdict ${code === 0 ? 'pass' : code === 1 ? 'fail' : 'none'}" title="${escapeHtml(rest)}">${escapeHtml(head)}</p>
<div class="bar" aria-hidden="true">${bar.join('')}</div><ul class="legend">${legend.join('')}</ul>
<div class="facts"><p>Profile ${escapeHtml(report.profile)}: ${report.results.length} rows in ${seconds} s, at most ${report.effects.used} executions.</p>
<p>Keys sent ${report.facts.keyForm}; a key is ${report.facts.keyRequired ? 'required' : 'optional'} here.</p>
<p>${escapeHtml(capital(judgedBy(report)))}.</p></div>`
}

function problemCard(report: CheckReport, result: CaseResult): string {
  const { case: one, verdict } = result
  const findings = result.findings.toSorted(
    (a, b) => Number(a.severity === 'warning') - Number(b.severity === 'warning'),
  )
  const [first, ...others] = findings
  const main = first === undefined ? '' : findingBlock(report.target, first)
  const rest = others.slice(0, 4).map((finding) => findingBlock(report.target, finding))
  const unseen = others.length > 4 ? `<p class="quiet">and ${others.length - 4} more</p>` : ''
  const more =
    others.length === 0
      ? ''
      : `<details><summary>${others.length} more ${others.length === 1 ? 'finding' : 'findings'}</summary>${rest.join('')}${unseen}</details>`
  const notes = result.notes.map((note) => `<p class="quiet">${escapeHtml(capital(note))}.</p>`).join('')
  const last = first?.exchanges.at(-1)
  const byHand = last === undefined ? undefined : curl(report.target, last.request)
  const race = result.race !== undefined && result.race.length > 1 ? raceDiagram(result.race) : ''
  return `<article class="${verdict}">${cardHead(result)}
<p class="why">${escapeHtml(one.why)}</p>${race}${main}${more}${notes}
<details open><summary>Run it again</summary><pre>${escapeHtml(checkAgain(report, one.id))}</pre>${byHand === undefined ? '' : `<pre>${escapeHtml(byHand)}</pre>`}</details></article>`
}

function cardHead({ case: one }: CaseResult): string {
  const safety = one.safety ? '<span class="tag safety">safety</span>' : ''
  return `<header><span class="id">${one.id}</span><h3>${escapeHtml(one.title)}</h3>${safety}<span class="tag">${one.level === 'BEYOND' ? 'beyond the sources' : one.level} · ${escapeHtml(one.source)}</span></header>`
}

function findingBlock(target: Target, finding: Finding): string {
  const exchanges = finding.exchanges.slice(0, 3).map((exchange) => exchangeBlock(target, exchange))
  const more =
    finding.exchanges.length > 3
      ? `<p class="quiet">and ${finding.exchanges.length - 3} more exchanges</p>`
      : ''
  return `<dl class="finding"><dt>Got</dt><dd class="got">${escapeHtml(finding.got)}</dd><dt>Expected</dt><dd>${escapeHtml(finding.expected)}</dd></dl>${exchanges.join('')}${more}`
}

function exchangeBlock(target: Target, exchange: Exchange): string {
  const answer = answerOf(exchange)
  const interesting =
    answer?.headers.filter(([name]) =>
      /^(content-type|location|retry-after|idempoten|date$|link$)/i.test(name),
    ) ?? []
  const head = interesting.map((header) => `\n    ${header.join(': ')}`).join('')
  const body =
    answer === undefined ? brief(exchange) : `${answer.status}${head}\n    ${printable(answer.body, 300)}`
  return `<pre class="exchange"><span class="arrow">&gt;</span> ${escapeHtml(sentLine(target, exchange))}\n<span class="arrow">&lt;</span> ${escapeHtml(body)}</pre>`
}

function raceCard(result: CaseResult): string {
  return `<article class="${result.verdict}">${cardHead(result)}${raceDiagram(result.race ?? [])}</article>`
}

function behaviour(report: CheckReport): string {
  const entries = Object.entries(report.card)
  if (entries.length === 0) return ''
  const rows = entries.map(
    ([field, value]) =>
      `<tr><th scope="row">${escapeHtml(capital(field))}</th><td>${escapeHtml(value)}</td></tr>`,
  )
  return `<h2>Behaviour card</h2><p class="quiet">What this API chose where the sources leave a choice.</p><table class="card">${rows.join('')}</table>`
}

function rowsTable(report: CheckReport): string {
  const rows: string[] = []
  let current = ''
  for (const { case: one, verdict, summary } of report.results) {
    const group = classOf(one.id)
    if (group !== current)
      rows.push(`<tr class="group"><td colspan="3">${escapeHtml(classNames[group] ?? group)}</td></tr>`)
    current = group
    const star = one.safety ? ' <span class="star" title="about safety">★</span>' : ''
    const text = summary === '' ? '' : ` <span class="sum">${escapeHtml(summary)}</span>`
    rows.push(
      `<tr><td class="id">${one.id}${star}</td><td>${escapeHtml(one.title)}${text === '' ? '' : `<br>${text}`}</td><td class="v ${verdict}">${names[verdict]}</td></tr>`,
    )
  }
  return `<table class="rows">${rows.join('')}</table>`
}

function section(title: string, parts: readonly string[]): string {
  return parts.length === 0 ? '' : `<h2>${title}</h2>${parts.join('\n')}`
}

function colourOf(verdict: Verdict): string {
  return verdict === 'inconclusive' ? 'waiting' : verdict === 'skipped' ? 'line' : verdict
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
