import type { StoredResponse } from '../../core/record.ts'
import type { InspectedRecord, Inspection } from '../../core/store.ts'
import { find, type KeyName } from './search.ts'
import { summaryOf } from './summary.ts'
import { spanOf, stateWord } from './words.ts'

const shownBodyBytes = 2_000

export async function showKey(
  inspect: Inspection,
  key: string,
  { json = false, ...name }: KeyName & { readonly json?: boolean },
): Promise<void> {
  const found = await find(inspect, key, name)
  if (json) return console.log(JSON.stringify(withText(found), undefined, 2))
  for (const [label, value] of rowsOf(found)) console.log(`${label.padEnd(12)}${value}`)
}

function* rowsOf(found: InspectedRecord): Iterable<readonly [label: string, value: string]> {
  const summary = summaryOf(found, Date.now())
  yield ['id', found.id]
  yield [
    'state',
    `${stateWord(summary.state)}${summary.ageMs === undefined ? '' : `, for ${spanOf(summary.ageMs)}`}`,
  ]
  if (found.state === 'unreadable') return yield ['reason', found.reason]
  const { record } = found
  yield ['scope', record.label?.scope ?? '(not stored)']
  yield ['key', record.label?.key ?? '(not stored)']
  yield ['attempt', String(record.attempt)]
  yield ['token', String(record.token)]
  yield ['recovery', record.policy.recovery]
  yield ['expires', new Date(record.expiresAtMs).toISOString()]
  if (record.state === 'running') yield ['lease until', new Date(record.leaseUntilMs).toISOString()]
  for (const step of record.fingerprint === null ? [] : (record.steps ?? [])) {
    yield [
      'step',
      step.state === 'finished' ? `${step.name}: finished` : `${step.name}: began, and nobody knows its end`,
    ]
  }
  if (record.state === 'completed') yield* answerRows(record.response)
}

function* answerRows(response: StoredResponse): Iterable<readonly [label: string, value: string]> {
  yield ['status', String(response.status)]
  if (response.kind === 'tombstone') return yield ['body', `not kept: ${response.reason}`]
  for (const [name, value] of response.headers) yield ['header', `${name}: ${value}`]
  const text = textOf(response.body)
  yield [
    'body',
    text.length > shownBodyBytes ? `${text.slice(0, shownBodyBytes)}… (${text.length} bytes)` : text,
  ]
}

function withText(found: InspectedRecord): object {
  if (found.state !== 'completed' || found.record.state !== 'completed') return found
  const { record } = found
  const { response } = record
  if (response.kind === 'tombstone') return found
  return { ...found, record: { ...record, response: { ...response, body: textOf(response.body) } } }
}

/** Bytes that are no text, encrypted ones say, would make a terminal do anything. */
function textOf(body: Uint8Array): string {
  const text = Buffer.from(body).toString()
  return /[^\P{C}\n\r\t]|\uFFFD/u.test(text) ? `base64:${Buffer.from(body).toString('base64')}` : text
}
