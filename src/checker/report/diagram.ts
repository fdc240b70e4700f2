import { brief, statusOf, succeeded } from '../answers.ts'
import type { Exchange } from '../wire/message.ts'
import { escapeHtml } from './escape.ts'

const width = 760
const left = 92
const right = 150
const rowHeight = 22
const top = 34
const maxRows = 40

/**
 * Who sent what when: a lane for each request, from its first byte to the last of its answer, on one time
 * axis. The release of the last bytes is a line through all lanes, so an overlap can be seen with the eye.
 */
export function raceDiagram(race: readonly Exchange[]): string {
  const lanes = race.slice(0, maxRows)
  const begun = Math.min(...lanes.map((exchange) => exchange.sentAt))
  const ended = Math.max(...lanes.map((exchange) => exchange.endedAt))
  const spanMs = Math.max(1, ended - begun)
  // Holding back the last byte is preparation; what counts begins shortly before the release.
  const originMs = begun - spanMs * 0.06
  const scale = (width - left - right) / (ended - originMs)
  const at = (ms: number): number => left + Math.max(0, ms - originMs) * scale
  const height = top + lanes.length * rowHeight + 30
  const parts = [
    ...axis(at, begun, ended, height),
    ...lanes.map((exchange, index) => lane(exchange, index, at, originMs)),
  ]
  const more = race.length > maxRows ? `<p class="quiet">and ${race.length - maxRows} more</p>` : ''
  return `<figure class="race"><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(`${lanes.length} requests on one time axis`)}">${parts.join('')}</svg>${more}<figcaption><span class="key sending"></span>sending <span class="key waiting"></span>whole at the server, no answer yet <span class="key answering"></span>answer arriving</figcaption></figure>`
}

function axis(at: (ms: number) => number, begun: number, ended: number, height: number): string[] {
  const spanMs = ended - begun
  const step = niceStep(spanMs / 5)
  const marks: string[] = []
  for (let ms = 0; ms <= spanMs + 0.001; ms += step) {
    const x = at(begun + ms).toFixed(1)
    marks.push(
      `<line class="grid" x1="${x}" x2="${x}" y1="${top - 8}" y2="${height - 24}"/>`,
      `<text class="tick" x="${x}" y="${height - 8}" text-anchor="middle">${label(ms)}</text>`,
    )
  }
  return marks
}

function lane(exchange: Exchange, index: number, at: (ms: number) => number, originMs: number): string {
  const y = top + index * rowHeight
  const from = at(Math.max(exchange.openedAt, originMs))
  const sent = at(exchange.sentAt)
  const first = at(exchange.firstByteAt ?? exchange.endedAt)
  const end = Math.max(at(exchange.endedAt), first + 3)
  const kind = succeeded(exchange)
    ? 'ok'
    : statusOf(exchange) >= 500 || statusOf(exchange) === 0
      ? 'bad'
      : 'no'
  const bar = (name: string, x1: number, x2: number): string =>
    `<rect class="${name}" x="${x1.toFixed(1)}" y="${y - 7}" width="${Math.max(0.5, x2 - x1).toFixed(1)}" height="14" rx="2"/>`
  const text = laneText(exchange)
  return [
    `<g><title>${escapeHtml(`request ${exchange.number}: ${brief(exchange)}`)}</title>`,
    `<text class="who" x="${left - 10}" y="${y + 4}" text-anchor="end">request ${exchange.number}</text>`,
    bar('sending', from, sent),
    bar('waiting', sent, first),
    bar(`answering ${kind}`, first, end),
    `<text class="what ${kind}" x="${(end + 8).toFixed(1)}" y="${y + 4}">${escapeHtml(text)}</text></g>`,
  ].join('')
}

function laneText(exchange: Exchange): string {
  const status = statusOf(exchange)
  if (status === 0)
    return exchange.result.kind === 'none' && exchange.result.code === 'ABANDONED' ? 'hung up' : 'no answer'
  const id = /"id":\s*"?([\w-]{1,8})/.exec(brief(exchange))?.[1]
  return id === undefined || !succeeded(exchange) ? String(status) : `${status}  id ${id}`
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 0.001)))
  const factor = [1, 2, 5, 10].find((one) => one * power >= rough) ?? 10
  return factor * power
}

function label(ms: number): string {
  if (ms >= 1000) return `${Math.round(ms / 100) / 10} s`
  return `${Math.round(ms * 100) / 100} ms`
}
