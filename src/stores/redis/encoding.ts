// How the parts of a record are written. The head, and the order of the parts, are lua/record.lua's.

import type {
  HeaderList,
  RecordLabel,
  RecoveryMode,
  StepRecord,
  StoredResponse,
  TombstoneReason,
} from '../../core/record.ts'
import type { Fingerprint } from '../../protocol/fingerprint.ts'
import { decodeStep } from '../encoding/steps.ts'
import { isPlain, sha256Kinds, textMark, uuidBytes, uuidMark } from './identity.ts'

/** The numbers that stand for them in records and arguments: positions in this list. */
export const recoveryModes: readonly RecoveryMode[] = ['refuse', 'reconcile', 'rerun']

export function decodeText(stored: string): string {
  if (!stored.startsWith('"')) return stored
  const text: unknown = JSON.parse(stored)
  if (typeof text !== 'string') throw new Error('a text is not text.')
  return text
}

export function decodeOwner(stored: Buffer): string {
  if (stored[0] === textMark) return decodeText(stored.toString('utf8', 1))
  if (stored[0] !== uuidMark || stored.length !== uuidBytes) throw new Error('its owner is not text.')
  const hex = stored.toString('hex', 1)
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
  return parts.join('-')
}

export function decodeFingerprint(stored: Buffer): Fingerprint {
  const parts: string[] = []
  let at = 0
  while (at < stored.length) {
    const common = sha256Kinds[255 - stored.readUInt8(at)]
    if (common !== undefined) {
      parts.push(`${common}:${stored.toString('base64url', at + 1, at + 33)}`)
      at += 33
      continue
    }
    const kindEnd = at + 1 + stored.readUInt8(at)
    const kind = stored.toString('utf8', at + 1, kindEnd)
    const start = kindEnd + 2
    at = start + stored.readUInt16LE(kindEnd)
    const digest = decodeText(stored.toString('utf8', start, at))
    parts.push(kind === '' ? digest : `${kind}:${digest}`)
  }
  if (at > stored.length) throw new Error('its fingerprint is cut short.')
  return parts.join(' ')
}

export function decodeLabel(stored: Buffer): RecordLabel | undefined {
  switch (stored[0]) {
    case undefined:
      return undefined
    case uuidMark:
      return { key: decodeOwner(stored.subarray(0, 17)), scope: stored.toString('utf8', 17) }
    case textMark: {
      const [key = '', scope = ''] = stored.toString('utf8', 1).split('\0')
      return { key, scope }
    }
    default: {
      const pair: unknown = JSON.parse(stored.toString('utf8', 1))
      if (!Array.isArray(pair) || pair.length !== 2) throw new Error('its label is not a pair.')
      return { key: textOf(pair[0], 'key'), scope: textOf(pair[1], 'scope') }
    }
  }
}

/**
 * All of a response but its body. Mostly `status NUL name NUL value NUL …`: a header costs two bytes more than
 * its text. As JSON `[status, headers, trailers?]` where that can't hold it, and `[status, reason, location?]`
 * for a tombstone.
 */
export function encodeEnvelope(response: StoredResponse): string {
  if (response.kind === 'tombstone') {
    const { status, reason, location } = response
    return JSON.stringify(location === undefined ? [status, reason] : [status, reason, location])
  }
  const { status, headers, trailers } = response
  if (trailers !== undefined) return JSON.stringify([status, headers.flat(), trailers.flat()])
  let envelope = String(status)
  for (const [name, value] of headers) {
    if (!isPlain(name) || !isPlain(value)) return JSON.stringify([status, headers.flat()])
    envelope += `\0${name}\0${value}`
  }
  return envelope
}

/** What lua/step.lua keeps of the steps. Absent where there are none. */
export function decodeStepList(stored: Buffer): readonly StepRecord[] | undefined {
  if (stored.length === 0) return undefined
  const steps: StepRecord[] = []
  let at = 0
  while (at < stored.length) {
    const textAt = at + 6 + stored.readUInt16LE(at)
    at = textAt + stored.readUInt32LE(at + 2)
    if (at > stored.length) throw new Error('its steps are cut short.')
    steps.push(decodeStep(JSON.parse(stored.toString('utf8', textAt, at))))
  }
  return steps
}

export function bodyOf(response: StoredResponse): Buffer {
  if (response.kind === 'tombstone') return noBytes
  const { body } = response
  return Buffer.isBuffer(body) ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength)
}

export const noBytes = Buffer.alloc(0)

export function decodeResponse(envelope: Buffer, body: Buffer): StoredResponse {
  const text = envelope.toString()
  return text.startsWith('[')
    ? responseInJson(JSON.parse(text), body)
    : responseInList(text.split('\0'), body)
}

function responseInList([status, ...texts]: readonly string[], body: Buffer): StoredResponse {
  if (status === undefined || !/^\d{1,9}$/.test(status)) throw new Error('its status is not a number.')
  return { kind: 'kept', status: Number(status), headers: headersOf(texts), body }
}

function responseInJson(fields: unknown, body: Buffer): StoredResponse {
  if (!Array.isArray(fields)) throw new Error('its response is not a list.')
  const [status, second, third]: readonly unknown[] = fields
  if (typeof status !== 'number' || !Number.isSafeInteger(status))
    throw new Error('its status is not a number.')
  if (Array.isArray(second)) {
    const trailers = third === undefined ? undefined : headersOf(third)
    return { kind: 'kept', status, headers: headersOf(second), ...(trailers && { trailers }), body }
  }
  const reason = tombstoneReasons.find((known) => known === second)
  if (reason === undefined) throw new Error('its tombstone has no reason.')
  return {
    kind: 'tombstone',
    status,
    ...(third !== undefined && { location: textOf(third, 'location') }),
    reason,
  }
}

const tombstoneReasons: readonly TombstoneReason[] = [
  'too-large',
  'cut-short',
  'not-serializable',
  'store-refused',
]

function headersOf(list: unknown): HeaderList {
  if (!Array.isArray(list) || list.length % 2 !== 0) throw new Error('its headers are not pairs.')
  const headers: Array<readonly [string, string]> = []
  for (let index = 0; index < list.length; index += 2) {
    headers.push([textOf(list[index], 'header name'), textOf(list[index + 1], 'header value')])
  }
  return headers
}

function textOf(value: unknown, name: string): string {
  if (typeof value === 'string') return value
  throw new Error(`its ${name} is not text.`)
}
