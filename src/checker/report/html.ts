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
import { sentParts } from './text.ts'

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
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)}</title><style>${style}</style></head>
<body><main>
${heading(report)}
${overview(bad)}
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
  return `<h1>Does this API keep its idempotency promise?</h1>
<p class="target">${escapeHtml(endpoint(report))}</p>
<p class="verdict ${code === 0 ? 'pass' : code === 1 ? 'fail' : 'none'}" title="${escapeHtml(rest)}">${escapeHtml(head)}</p>
<div class="bar" aria-hidden="true">${bar.join('')}</div><ul class="legend">${legend.join('')}</ul>
<dl class="facts">${facts(report).join('')}</dl>`
}

function facts(report: CheckReport): string[] {
  const seconds = Math.round(report.durationMs / 100) / 10
  const entries: readonly (readonly [string, string])[] = [
    ['Profile', `${report.profile}: ${report.results.length} rows in ${seconds} s`],
    ['Executions', `at most ${report.effects.used} of the ${report.effects.max} allowed`],
    [
      'Keys',
      `sent ${report.facts.keyForm}; a key is ${report.facts.keyRequired ? 'required' : 'optional'} here`,
    ],
    ['Judged by', judgedBy(report)],
  ]
  return entries.map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`)
}

/** Everything that is wrong on one screen, each with a way to its card. */
function overview(bad: readonly CaseResult[]): string {
  if (bad.length < 2) return ''
  const items = bad.map(
    ({ case: one, verdict, summary }) =>
      `<li class="${verdict}"><a href="#${one.id}"><span class="id">${one.id}</span> ${escapeHtml(one.title)}</a><span class="quiet">${escapeHtml(summary.replace(/ \(and \d+ more\)$/, ''))}</span></li>`,
  )
  return `<nav aria-label="What is wrong"><ol class="overview">${items.join('')}</ol></nav>`
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
  const notes = result.notes.map((note) => `<li>${escapeHtml(capital(note))}.</li>`).join('')
  const last = first?.exchanges.at(-1)
  const byHand = last === undefined ? undefined : curl(report.target, last.request)
  const race = result.race !== undefined && result.race.length > 1 ? raceDiagram(result.race) : ''
  return `<article id="${one.id}" class="${verdict}">${cardHead(result)}
<p class="why">${escapeHtml(one.why)}</p>${race}${main}${more}${notes === '' ? '' : `<ul class="notes">${notes}</ul>`}
<details class="again" open><summary>Run it again</summary><pre>${escapeHtml(checkAgain(report, one.id).lines)}</pre></details>${byHand === undefined ? '' : `<details><summary>The last request by hand</summary><pre>${escapeHtml(byHand.lines)}</pre></details>`}</article>`
}

function cardHead({ case: one }: CaseResult): string {
  const safety = one.safety ? '<span class="tag safety">safety</span>' : ''
  return `<header><span class="id">${one.id}</span><h3>${escapeHtml(one.title)}</h3>${safety}<span class="tag">${one.level === 'BEYOND' ? 'beyond the sources' : one.level} · ${escapeHtml(one.source)}</span></header>`
}

function findingBlock(target: Target, finding: Finding): string {
  const shown = finding.exchanges.slice(0, maxExchanges)
  const exchanges = shown.map((exchange, index) => exchangeBlock(target, exchange, shown[index - 1]))
  const more = finding.exchanges.length - shown.length
  const rest =
    more > 0 ? `<p class="quiet">and ${more} more ${more === 1 ? 'exchange' : 'exchanges'}</p>` : ''
  return `<dl class="finding"><dt>Got</dt><dd class="got">${escapeHtml(finding.got)}</dd><dt>Expected</dt><dd>${escapeHtml(finding.expected)}</dd></dl><div class="exchanges">${exchanges.join('')}</div>${rest}`
}

/** Side by side, so that what differs is seen. */
const maxExchanges = 4

function exchangeBlock(target: Target, exchange: Exchange, before: Exchange | undefined): string {
  const parts = sentParts(target, exchange)
  const same = before !== undefined && parts.join() === sentParts(target, before).join()
  const sent = same ? ['<span class="quiet">the same request</span>'] : parts.map(escapeHtml)
  return `<pre>${marked('&gt;', sent)}${marked('&lt;', cameBack(exchange).map(escapeHtml))}</pre>`
}

/** Lines with a sign before the first, each of which may wrap. */
function marked(sign: string, lines: readonly string[]): string {
  return lines
    .map((line, index) => (index === 0 ? `<span class="arrow">${sign}</span> ${line}` : `  ${line}`))
    .map((line) => `<span class="line">${line}</span>`)
    .join('')
}

function cameBack(exchange: Exchange): string[] {
  const answer = answerOf(exchange)
  if (answer === undefined) return [brief(exchange)]
  const telling = answer.headers.filter(
    ([name, value]) =>
      /^(location|retry-after|idempoten|link$)/i.test(name) ||
      (/^content-type$/i.test(name) && !/^application\/json\b/i.test(value)),
  )
  const body = printable(answer.body, 300)
  return [
    String(answer.status),
    ...telling.map((header) => header.join(': ')),
    ...(body === '' ? [] : [body]),
  ]
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
  return `<h2>Behaviour card</h2><p class="quiet card-note">What this API chose where the sources leave a choice.</p><table class="card">${rows.join('')}</table>`
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
      `<tr><td class="id">${linked(one.id, verdict)}${star}</td><td>${escapeHtml(one.title)}${text === '' ? '' : `<br>${text}`}</td><td class="v ${verdict}">${names[verdict]}</td></tr>`,
    )
  }
  return `<table class="rows">${rows.join('')}</table>`
}

/** To the card of a row that has one. */
function linked(id: string, verdict: Verdict): string {
  return verdict === 'fail' || verdict === 'warn' ? `<a href="#${id}">${id}</a>` : id
}

function section(title: string, parts: readonly string[]): string {
  return parts.length === 0 ? '' : `<h2>${title}</h2>${parts.join('\n')}`
}

function colourOf(verdict: Verdict): string {
  return verdict === 'inconclusive' ? 'waiting' : verdict
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
