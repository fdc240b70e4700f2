import { answerOf, printable } from '../answers.ts'
import type { CaseResult } from '../model.ts'
import type { CheckReport } from '../run.ts'
import type { Target } from '../target.ts'
import type { Exchange } from '../wire/message.ts'
import { checkAgain, maskedHeader } from './reproduce.ts'
import { countVerdicts, endpoint, judgedBy, sentence } from './summary.ts'

/** The report for programs. Field names are stable; new ones may be added. */
export function jsonReport(report: CheckReport): unknown {
  const shown = new Map<number, Exchange>()
  for (const result of report.results) {
    for (const exchange of [
      ...result.findings.flatMap((finding) => finding.exchanges),
      ...(result.race ?? []),
    ]) {
      shown.set(exchange.number, exchange)
    }
  }
  return {
    format: 1,
    target: endpoint(report),
    profile: report.profile,
    startedAt: report.startedAt.toISOString(),
    durationMs: Math.round(report.durationMs),
    summary: sentence(report),
    counts: countVerdicts(report.results),
    executions: report.effects,
    judgedBy: judgedBy(report),
    keyForm: report.facts.keyForm,
    keyRequired: report.facts.keyRequired,
    card: report.card,
    rows: report.results.map((result) => row(report, result)),
    exchanges: [...shown.values()].map((exchange) => exchangeJson(report.target, exchange)),
  }
}

function row(report: CheckReport, result: CaseResult): unknown {
  const { case: one } = result
  return {
    id: one.id,
    level: one.level,
    safety: one.safety,
    title: one.title,
    verdict: result.verdict,
    summary: result.summary,
    why: one.why,
    source: one.source,
    notes: result.notes,
    findings: result.findings.map((finding) => ({
      severity: finding.severity,
      got: finding.got,
      expected: finding.expected,
      exchanges: finding.exchanges.map((exchange) => exchange.number),
    })),
    race: result.race?.map((exchange) => exchange.number) ?? [],
    durationMs: Math.round(result.durationMs),
    again: checkAgain(report, one.id).line,
  }
}

function exchangeJson(target: Target, exchange: Exchange): unknown {
  const { request, result } = exchange
  const answer = answerOf(exchange)
  return {
    number: exchange.number,
    openedAt: round(exchange.openedAt),
    sentAt: round(exchange.sentAt),
    firstByteAt: exchange.firstByteAt === undefined ? null : round(exchange.firstByteAt),
    endedAt: round(exchange.endedAt),
    request: {
      method: request.method,
      target: request.target,
      headers: request.headers.map((header) => maskedHeader(target, header)),
      body: printable(request.body ?? Buffer.alloc(0), 2000),
    },
    answer:
      answer === undefined
        ? null
        : {
            protocol: answer.protocol,
            status: answer.status,
            headers: answer.headers.map((header) => header.join(': ')),
            body: printable(answer.body, 2000),
            faults: answer.faults,
          },
    failure: result.kind === 'none' ? result.reason : null,
  }
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
