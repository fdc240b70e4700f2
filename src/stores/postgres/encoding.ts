import type { HeaderList, RecordLabel, StoredResponse } from '../../core/record.ts'
import type { Fingerprint } from '../../protocol/fingerprint.ts'
import { decodeText, encodeText } from '../encoding/ascii.ts'

/** The digests of a fingerprint as they are stored: what takes part in no comparison begins with a space. */
export function encodeFingerprint(fingerprint: Fingerprint): string[] {
  const parts = fingerprint.split(' ')
  const lastOfKind = new Map(parts.map((part, index) => [kindOf(part), index]))
  return parts.map((part, index) => {
    const counts = kindOf(part) !== undefined && lastOfKind.get(kindOf(part)) === index
    return counts ? encodeText(part) : ` ${encodeText(part)}`
  })
}

/** Those that take part: two requests are the same if they have one in common. */
export function comparedDigests(fingerprint: Fingerprint): string[] {
  return encodeFingerprint(fingerprint).filter((part) => !part.startsWith(' '))
}

export function decodeFingerprint(parts: readonly string[]): Fingerprint {
  return parts.map((part) => decodeText(part.startsWith(' ') ? part.slice(1) : part)).join(' ')
}

function kindOf(part: string): string | undefined {
  const colon = part.indexOf(':')
  return colon > 0 ? part.slice(0, colon) : undefined
}

/** The columns of a label. */
export function encodeLabel(label: RecordLabel | undefined): { label_key?: string; label_scope?: string } {
  if (label === undefined) return {}
  return { label_key: encodeText(label.key), label_scope: encodeText(label.scope) }
}

/** The columns of a response but its body. */
export function encodeResponse(response: StoredResponse): object {
  if (response.kind === 'tombstone') {
    const { status, location, reason } = response
    return { status, tombstone: reason, ...(location !== undefined && { location: encodeText(location) }) }
  }
  const { status, headers, trailers } = response
  return {
    status,
    headers: encodeHeaders(headers),
    ...(trailers !== undefined && { trailers: encodeHeaders(trailers) }),
  }
}

export function encodeBody(response: StoredResponse): Buffer {
  if (response.kind === 'tombstone') return noBytes
  const { buffer, byteOffset, byteLength } = response.body
  return Buffer.from(buffer, byteOffset, byteLength)
}

export const noBytes = Buffer.alloc(0)

function encodeHeaders(headers: HeaderList): string[] {
  return headers.flat().map(encodeText)
}

/**
 * The largest whose successor JavaScript still holds exactly: a record with a larger one is damaged, and can't be read,
 * since the claim after it could not be fenced.
 */
export const largestToken = Number.MAX_SAFE_INTEGER - 1

/** Spans of up to 4,000 years, which Postgres can add to any time of ours. */
export const longestMs = 2 ** 47

export function encodeSpan(spanMs: number): number {
  return Math.min(longestMs, spanMs)
}
