import { answerOf, headerOf, jsonOf, succeeded } from './answers.ts'
import { CannotTest } from './cannot-test.ts'
import { atPointer, parseJson } from './json.ts'
import { originOf, type Probe, readUrl, type Target, type Witness } from './target.ts'
import type { Exchange, Request } from './wire/message.ts'
import type { Transport } from './wire/transport.ts'

/** The value that tells one execution from another, when the answer has it. */
export function witnessOf(exchange: Exchange, witness: Witness | undefined): string | undefined {
  if (witness === undefined || !succeeded(exchange)) return undefined
  if (witness.kind === 'header') return headerOf(exchange, witness.name)
  const value = atPointer(jsonOf(exchange), witness.pointer)
  return value === undefined || value === null || typeof value === 'object' ? undefined : String(value)
}

/** Asks the probe once. */
export async function readProbeCount(target: Target, transport: Transport, marker: string): Promise<number> {
  const { probe } = target
  if (probe === undefined) throw new Error('no probe')
  const exchange = await transport.send(probeRequest(target, probe, marker))
  if (exchange.result.kind === 'none')
    throw new CannotTest(`The probe gave no answer: ${exchange.result.reason}.`)
  const status = exchange.result.answer.status
  if (status >= 300) throw new CannotTest(`The probe ${probe.url} answered ${status}.`)
  const text = answerOf(exchange)?.body.toString('utf8') ?? ''
  const count = countIn(text, probe.pointer)
  if (count === undefined) {
    throw new CannotTest(
      `The probe's answer has no number at ${probe.pointer || 'its root'}: ${text.slice(0, 80)}`,
    )
  }
  return count
}

function probeRequest(target: Target, probe: Probe, marker: string): Request {
  const url = readUrl(probe.url.replaceAll('{{marker}}', encodeURIComponent(marker)), 'The probe')
  const origin = originOf(url)
  // The user's credentials go to the host they were given for, and no other.
  const home = origin.host === target.origin.host
  return {
    origin,
    method: 'GET',
    target: url.pathname + url.search,
    headers: home
      ? target.headers.filter(([name]) => name.toLowerCase() !== 'content-type')
      : [['Accept', '*/*']],
    body: undefined,
    framing: { kind: 'length' },
    marker,
    slowMs: 0,
  }
}

function countIn(text: string, pointer: string): number | undefined {
  const value = atPointer(parseJson(text.trim()), pointer)
  if (Array.isArray(value)) return value.length
  const count = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof count === 'number' && Number.isFinite(count) ? count : undefined
}
