import { brief, statusOf, succeeded } from '../answers.ts'
import type { Exchange } from '../wire/message.ts'
import { escapeHtml } from './escape.ts'

const maxLanes = 16

/** Where a moment is on the axis, in percent of its width. */
type Axis = (ms: number) => number

/**
 * Who sent what when: a lane for each request, from its first byte to the last of its answer, on one time
 * axis. Zero is the release of the last bytes, so an overlap can be seen with the eye.
 */
export function raceDiagram(race: readonly Exchange[]): string {
  const lanes = race.slice(0, maxLanes)
  const begun = Math.min(...lanes.map((exchange) => exchange.sentAt))
  const ended = Math.max(...lanes.map((exchange) => exchange.endedAt))
  const spanMs = Math.max(1, ended - begun)
  // Holding back the last byte is preparation; what counts begins shortly before the release.
  const originMs = begun - spanMs * 0.06
  const at: Axis = (ms) => (Math.max(0, ms - originMs) / (ended - originMs)) * 100
  const more =
    race.length > maxLanes ? `<p class="quiet">and ${race.length - maxLanes} more requests</p>` : ''
  return `<figure class="race"><div class="lanes" role="img" aria-label="${lanes.length} requests on one time axis">
<div class="marks">${marks(at, begun, spanMs)}</div>
${lanes.map((exchange) => lane(exchange, at, originMs)).join('\n')}
</div>${more}<figcaption><span><i class="sending"></i>sending</span><span><i class="waiting"></i>whole at the server, no answer yet</span><span><i class="answering"></i>answer arriving</span></figcaption></figure>`
}

function marks(at: Axis, begun: number, spanMs: number): string {
  const stepMs = niceStep(spanMs / 4)
  const count = Math.floor(spanMs / stepMs + 0.001) + 1
  return Array.from({ length: count }, (_, index) => index * stepMs)
    .map((ms) => `<i style="left:${percent(at(begun + ms))}"><b>${label(ms)}</b></i>`)
    .join('')
}

function lane(exchange: Exchange, at: Axis, originMs: number): string {
  const sent = at(exchange.sentAt)
  const answered = at(exchange.firstByteAt ?? exchange.endedAt)
  const kind = kindOf(exchange)
  const bars = [
    bar('sending', at(Math.max(exchange.openedAt, originMs)), sent),
    bar('waiting', sent, answered),
    bar(`answering ${kind}`, answered, at(exchange.endedAt)),
  ]
  const title = escapeHtml(`request ${exchange.number}: ${brief(exchange)}`)
  return `<div class="lane" title="${title}"><span class="who"><span class="word">request </span>${exchange.number}</span><span class="track">${bars.join('')}</span><span class="what ${kind}">${escapeHtml(laneText(exchange))}</span></div>`
}

function bar(name: string, from: number, to: number): string {
  return `<i class="${name}" style="left:${percent(from)};width:${percent(Math.max(0, to - from))}"></i>`
}

function kindOf(exchange: Exchange): 'ok' | 'bad' | 'no' {
  if (succeeded(exchange)) return 'ok'
  return statusOf(exchange) >= 500 || statusOf(exchange) === 0 ? 'bad' : 'no'
}

function laneText(exchange: Exchange): string {
  const status = statusOf(exchange)
  if (status === 0)
    return exchange.result.kind === 'none' && exchange.result.code === 'ABANDONED' ? 'hung up' : 'no answer'
  const id = /"id":\s*"?([\w-]{1,8})/.exec(brief(exchange))?.[1]
  return id === undefined || !succeeded(exchange) ? String(status) : `${status} ${id}`
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

function percent(value: number): string {
  return `${Math.round(value * 100) / 100}%`
}
