import { createHash } from 'node:crypto'
import type { IdempotencyRecord } from '../../core/record.ts'
import { isFields } from '../encoding/fields.ts'
import { decodeRecord, encodeRecord } from '../encoding/record.ts'
import type { Cell, Found, Head, Standing } from '../remote/cells.ts'
import type { Row, SqlValue } from './session.ts'

export function hashOf(id: string): Buffer {
  // UTF-16, since UTF-8 makes one of all lone halves of surrogate pairs.
  return createHash('sha256').update(Buffer.from(id, 'utf16le')).digest()
}

/** In the order of the statements that write. */
export function valuesOf(record: IdempotencyRecord, revision: string): SqlValue[] {
  const { format, state, token, leaseUntilMs, expiresAtMs, detail, body } = encodeRecord(record)
  return [
    Buffer.from(revision),
    format,
    Buffer.from(state),
    token,
    leaseUntilMs,
    expiresAtMs,
    Buffer.from(detail),
    body,
  ]
}

/** What the values take at most in a statement. */
export function bytesOf(values: readonly SqlValue[]): number {
  return values.reduce<number>(
    (sum, value) => sum + (value instanceof Uint8Array ? literalBytes(value) : 20),
    0,
  )
}

function literalBytes({ byteLength }: Uint8Array): number {
  return Math.max(2_048, Math.ceil(byteLength / 3) * 4) + 32
}

export function foundIn(row: Row | undefined): Found {
  if (row === undefined) throw new Error('The server returned no row.')
  const [revision, format, state, token, leaseUntilMs, expiresAtMs, detail, body, now] = row
  const nowMs = Number(now)
  if (revision === null) return { nowMs }
  const standing = {
    revision: textOf(revision),
    format: Number(format),
    state: textOf(state),
    token: Number(token),
  }
  const decoded = decodeRecord({
    ...standing,
    leaseUntilMs: leaseUntilMs === null ? null : Number(leaseUntilMs),
    expiresAtMs: Number(expiresAtMs),
    detail: textOf(detail),
    body,
  })
  const cell: Cell =
    decoded.kind === 'record'
      ? { ...decoded, standing }
      : { ...decoded, standing, expiresAtMs: Number(expiresAtMs) }
  return { nowMs, cell }
}

export function headIn([hash, state, detail]: Row): Head {
  const position = bufferOf(hash).toString('hex')
  return { position, id: idIn(textOf(detail)) ?? position, state: textOf(state) }
}

/** Of a damaged record there may be none. */
function idIn(detail: string): string | undefined {
  try {
    const fields: unknown = JSON.parse(detail)
    return isFields(fields) && typeof fields['id'] === 'string' ? fields['id'] : undefined
  } catch {
    return undefined
  }
}

export function textOf(value: unknown): string {
  return bufferOf(value).toString('latin1')
}

export function bufferOf(value: unknown): Buffer {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  throw new Error('The server returned text where bytes are stored.')
}

/** In the order of the statements that replace. */
export function standingValues({ revision, format, state, token }: Standing): SqlValue[] {
  return [Buffer.from(revision), format, Buffer.from(state), token]
}
