import type { Answer } from './wire/message.ts'

/** Fields that belong to one exchange, so a replay may differ in them (RFC 9110 6.6.1, 7.6.1; RFC 9111 5.1). */
const ofOneExchange = new Set([
  'date',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'age',
  'server',
  'via',
  'set-cookie',
  'server-timing',
  'traceparent',
  'tracestate',
  'traceresponse',
  'x-request-id',
  'request-id',
  'x-correlation-id',
  'x-amzn-requestid',
  'x-amzn-trace-id',
  'cf-ray',
  'retry-after',
  'alt-svc',
  'content-encoding',
  'vary',
  'x-response-time',
  'x-runtime',
])

const prefixes = ['ratelimit', 'x-ratelimit', 'x-rate-limit', 'access-control-']

/** Names under which servers say "this is a replay". */
export const replayMarkers = [
  'idempotent-replayed',
  'idempotency-replayed',
  'idempotent-replay',
  'idempotency-replay',
  'x-idempotent-replayed',
  'x-idempotency-replayed',
  'x-idempotent-replay',
  'idempotency-status',
  'x-idempotency-status',
  'idempotency-key-status',
  'original-request',
  'x-cache',
]

const announcements = new Set([
  'idempotency-expires',
  'idempotency-key',
  'x-idempotency-key',
  'idempotency-expiry',
])

/** How an answer differs from the one it ought to repeat; empty when it does not. */
export function differences(first: Answer, again: Answer, ignore: readonly string[]): string[] {
  const found: string[] = []
  if (first.status !== again.status) found.push(`status ${again.status} instead of ${first.status}`)
  if (!first.body.equals(again.body)) found.push(bodyDifference(first.body, again.body))
  return [...found, ...headerDifferences(first, again, ignore)]
}

/** The differing header fields alone. */
export function headerDifferences(first: Answer, again: Answer, ignore: readonly string[]): string[] {
  const left = fields(first, ignore)
  const right = fields(again, ignore)
  const found: string[] = []
  for (const [name, lines] of left) {
    const other = right.get(name)
    if (other === undefined) found.push(`${name} is missing`)
    else if (lines.join('\n') !== other.join('\n')) {
      found.push(`${name} is ${quoted(other)} instead of ${quoted(lines)}`)
    }
  }
  for (const name of right.keys()) if (!left.has(name)) found.push(`${name} was added`)
  return found
}

function fields(answer: Answer, ignore: readonly string[]): Map<string, string[]> {
  const skip = new Set(ignore.map((name) => name.toLowerCase()))
  const found = new Map<string, string[]>()
  for (const [raw, value] of answer.headers) {
    const name = raw.toLowerCase()
    if (ofOneExchange.has(name) || replayMarkers.includes(name) || announcements.has(name)) continue
    if (skip.has(name) || prefixes.some((prefix) => name.startsWith(prefix))) continue
    found.set(name, [...(found.get(name) ?? []), value])
  }
  return found
}

function bodyDifference(first: Buffer, again: Buffer): string {
  let at = 0
  while (at < first.length && first[at] === again[at]) at += 1
  return `body differs from byte ${at} on (${again.length} bytes instead of ${first.length})`
}

function quoted(lines: readonly string[]): string {
  return lines.map((line) => JSON.stringify(line)).join(' and ')
}
