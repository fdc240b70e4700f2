// How the parts of a record are written. The head, and the order of the parts, are lua/record.lua's.

import type {
  HeaderList,
  RecordLabel,
  RecoveryMode,
  StoredResponse,
  TombstoneReason,
} from '../../core/record.ts'
import type { Fingerprint } from '../../protocol/fingerprint.ts'

/** The numbers that stand for them in records and arguments: positions in this list. */
export const recoveryModes: readonly RecoveryMode[] = ['refuse', 'reconcile', 'rerun']

/** UTF-8 has no lone halves of surrogate pairs, and turns each into U+FFFD: two ids would become one. */
export function encodeText(text: string): string {
  return /\p{Cs}/u.test(text) || text.startsWith('"') ? JSON.stringify(text) : text
}

export function decodeText(stored: string): string {
  if (!stored.startsWith('"')) return stored
  const text: unknown = JSON.parse(stored)
  if (typeof text !== 'string') throw new Error('a text is not text.')
  return text
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const [uuidMark, textMark] = [0, 1]

/** A UUID in 16 bytes instead of 36. */
export function encodeOwner(owner: string): Buffer {
  if (uuid.test(owner)) return Buffer.from(`00${owner.replaceAll('-', '')}`, 'hex')
  return Buffer.concat([Buffer.of(textMark), Buffer.from(encodeText(owner))])
}

export function decodeOwner(stored: Buffer): string {
  if (stored[0] === textMark) return decodeText(stored.toString('utf8', 1))
  if (stored[0] !== uuidMark || stored.length !== 17) throw new Error('its owner is not text.')
  const hex = stored.toString('hex', 1)
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
  return parts.join('-')
}

/** Stands where the length of a digest would: the 32 bytes of a SHA-256 follow, written as base64url. */
const sha256Mark = 65_535
const longestDigest = sha256Mark - 1

/**
 * A list of digests, each with the length of its kind and of its digest in front, so that the script can
 * compare them by kind. The same digest always becomes the same bytes.
 */
export function encodeFingerprint(fingerprint: Fingerprint): Buffer {
  return Buffer.concat(fingerprint.split(' ').flatMap(encodeDigest))
}

function encodeDigest(part: string): Buffer[] {
  const colon = part.indexOf(':')
  const kind = Buffer.from(colon > 0 ? part.slice(0, colon) : '')
  // A part without a kind is kept for whoever reads the record, and takes part in no comparison.
  const digest = colon > 0 ? part.slice(colon + 1) : part
  if (kind.length > 255) throw new Error('A kind of digest in a fingerprint is too long.')
  const sha256 = digest.length === 43 ? Buffer.from(digest, 'base64url') : undefined
  if (sha256?.length === 32 && sha256.toString('base64url') === digest) {
    return [Buffer.of(kind.length), kind, lengthOf(sha256Mark), sha256]
  }
  const text = Buffer.from(encodeText(digest))
  if (text.length > longestDigest) throw new Error('A digest in a fingerprint is too long.')
  return [Buffer.of(kind.length), kind, lengthOf(text.length), text]
}

function lengthOf(bytes: number): Buffer {
  return Buffer.of(bytes & 0xff, bytes >> 8)
}

export function decodeFingerprint(stored: Buffer): Fingerprint {
  const parts: string[] = []
  let at = 0
  while (at < stored.length) {
    const kindEnd = at + 1 + stored.readUInt8(at)
    const kind = stored.toString('utf8', at + 1, kindEnd)
    const length = stored.readUInt16LE(kindEnd)
    const start = kindEnd + 2
    at = start + (length === sha256Mark ? 32 : length)
    if (at > stored.length) throw new Error('its fingerprint is cut short.')
    const bytes = stored.subarray(start, at)
    const digest = length === sha256Mark ? bytes.toString('base64url') : decodeText(bytes.toString())
    parts.push(kind === '' ? digest : `${kind}:${digest}`)
  }
  return parts.join(' ')
}

export function encodeLabel(label: RecordLabel | undefined): string {
  return label === undefined ? '' : JSON.stringify([label.key, label.scope])
}

export function decodeLabel(stored: string): RecordLabel | undefined {
  if (stored === '') return undefined
  const pair: unknown = JSON.parse(stored)
  if (!Array.isArray(pair) || pair.length !== 2) throw new Error('its label is not a pair.')
  return { key: textOf(pair[0], 'key'), scope: textOf(pair[1], 'scope') }
}

/**
 * All of a response but its body: `[status, headers, trailers?]` with names and values in turn, or
 * `[status, reason, location?]` for a tombstone.
 */
export function encodeEnvelope(response: StoredResponse): string {
  if (response.kind === 'tombstone') {
    const { status, reason, location } = response
    return JSON.stringify(location === undefined ? [status, reason] : [status, reason, location])
  }
  const { status, headers, trailers } = response
  return JSON.stringify(
    trailers === undefined ? [status, headers.flat()] : [status, headers.flat(), trailers.flat()],
  )
}

export function bodyOf(response: StoredResponse): Buffer {
  if (response.kind === 'tombstone') return noBytes
  const { buffer, byteOffset, byteLength } = response.body
  return Buffer.from(buffer, byteOffset, byteLength)
}

export const noBytes = Buffer.alloc(0)

export function decodeResponse(envelope: Buffer, body: Buffer): StoredResponse {
  const fields: unknown = JSON.parse(envelope.toString())
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
