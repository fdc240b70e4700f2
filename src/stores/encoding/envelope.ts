import { types } from 'node:util'
import type { HeaderList, RecordLabel, StoredResponse, TombstoneReason } from '../../core/record.ts'
import { integer, isFields, oneOf, string } from './fields.ts'

/** All of a response but its body, as JSON. The body's length tells a body that was lost from an empty one. */
export function encodeEnvelope(response: StoredResponse): string {
  if (response.kind === 'tombstone') return JSON.stringify(response)
  const { kind, status, headers, trailers, body } = response
  return JSON.stringify({ kind, status, headers, trailers, bodyBytes: body.byteLength })
}

/** Node 22.14 stores empty bytes as NULL, so all drivers do. */
export function encodeBody(response: StoredResponse): Uint8Array | null {
  return response.kind === 'kept' && response.body.byteLength > 0 ? response.body : null
}

/** `body`: as the driver returned it, or its length where it was not loaded. */
export function decodeResponse(json: string, body: unknown): StoredResponse {
  const envelope: unknown = JSON.parse(json)
  if (!isFields(envelope)) throw new Error('its response is not an object.')
  const status = integer(envelope, 'status')
  if (envelope['kind'] === 'tombstone') {
    const { location } = envelope
    return {
      kind: 'tombstone',
      status,
      ...(location !== undefined && { location: string(location, 'location') }),
      reason: oneOf(tombstoneReasons, envelope['reason'], 'tombstone reason'),
    }
  }
  if (envelope['kind'] !== 'kept') throw new Error('its response is neither kept nor a tombstone.')
  const { trailers } = envelope
  return {
    kind: 'kept',
    status,
    headers: decodeHeaders(envelope['headers']),
    ...(trailers !== undefined && { trailers: decodeHeaders(trailers) }),
    body: bytes(body, integer(envelope, 'bodyBytes')),
  }
}

const tombstoneReasons: readonly TombstoneReason[] = [
  'too-large',
  'cut-short',
  'not-serializable',
  'store-refused',
]

export function encodeLabel(label: RecordLabel): string {
  return JSON.stringify([label.key, label.scope])
}

export function decodeLabel(json: string): RecordLabel {
  const pair: unknown = JSON.parse(json)
  if (!Array.isArray(pair) || pair.length !== 2) throw new Error('its label is not a pair.')
  return { key: string(pair[0], 'key'), scope: string(pair[1], 'scope') }
}

function decodeHeaders(value: unknown): HeaderList {
  if (!Array.isArray(value)) throw new Error('its headers are not a list.')
  return value.map((field: unknown) => {
    if (!Array.isArray(field) || field.length !== 2) throw new Error('a header is not a pair.')
    return [string(field[0], 'header name'), string(field[1], 'header value')]
  })
}

function bytes(value: unknown, expectedBytes: number): Uint8Array {
  const body = typeof value === 'number' ? undefined : plainBytes(value)
  const length = typeof value === 'number' ? value : body?.byteLength
  if (length !== expectedBytes) throw new Error(`its body has ${length} bytes instead of ${expectedBytes}.`)
  return body ?? new Uint8Array(0)
}

/** Drivers return bytes as Uint8Array, Buffer or (libsql) ArrayBuffer; records always hold a Uint8Array. */
function plainBytes(value: unknown): Uint8Array {
  if (value === null) return new Uint8Array(0)
  if (types.isArrayBuffer(value)) return new Uint8Array(value)
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
  throw new Error('its body is not bytes.')
}
