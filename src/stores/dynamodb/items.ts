import { isFields } from '../encoding/fields.ts'
import { keyOf } from '../encoding/key.ts'
import { decodeRecord, encodeRecord } from '../encoding/record.ts'
import { type Cell, type Head, type Put, RecordTooLarge, type Standing } from '../remote/cells.ts'
import type { AttributeValue } from './clients.ts'

// Every later format keeps these attributes and what they mean: id, revision, format, token, expires_at_ms, expires.

/** Expressions may not name `state` and `token` themselves. */
export const names = {
  '#id': 'id',
  '#revision': 'revision',
  '#format': 'format',
  '#state': 'state',
  '#token': 'token',
}

/** DynamoDB deletes an item some time after it expired: so long after that its token can't matter any more. */
const keptAfterSeconds = 3_600

/** DynamoDB's own limit, names included, less what all but detail and body take. */
const longestBytes = 400 * 1024 - 512

/** @throws RecordTooLarge */
export function itemOf({ record, revision }: Put): Record<string, AttributeValue> {
  const { id, format, state, token, leaseUntilMs, expiresAtMs, detail, body } = encodeRecord(record)
  const bytes = detail.length + (body?.byteLength ?? 0)
  if (bytes > longestBytes) {
    throw new RecordTooLarge(
      `A record of ${bytes} bytes is more than DynamoDB's limit of 400 KiB: keep less in steps and headers.`,
    )
  }
  return {
    id: { S: keyOf(id) },
    revision: { S: revision },
    format: { N: String(format) },
    state: { S: state },
    token: { N: String(token) },
    ...(leaseUntilMs !== null && { lease_until_ms: { N: String(leaseUntilMs) } }),
    expires_at_ms: { N: String(expiresAtMs) },
    expires: { N: String(Math.ceil(expiresAtMs / 1000) + keptAfterSeconds) },
    detail: { S: detail },
    ...(body !== null && { body: { B: body } }),
  }
}

export const isStanding =
  '#revision = :revision AND #format = :format AND #state = :state AND #token = :token'

export function standingValues({ revision, format, state, token }: Standing): Record<string, AttributeValue> {
  return {
    ':revision': { S: revision },
    ':format': { N: String(format) },
    ':state': { S: state },
    ':token': { N: String(token) },
  }
}

export function cellIn(item: unknown): Cell {
  const [leaseUntil, expiresAtMs] = [numberIn(item, 'lease_until_ms'), numberIn(item, 'expires_at_ms')]
  const standing = {
    revision: textIn(item, 'revision'),
    format: numberIn(item, 'format'),
    state: textIn(item, 'state'),
    token: numberIn(item, 'token'),
  }
  const decoded = decodeRecord({
    ...standing,
    leaseUntilMs: leaseUntil,
    expiresAtMs,
    detail: textIn(item, 'detail'),
    body: memberOf(item, 'body', 'B') ?? null,
  })
  return decoded.kind === 'record'
    ? { ...decoded, standing }
    : { ...decoded, standing, expiresAtMs: Number.isNaN(expiresAtMs) ? Infinity : expiresAtMs }
}

export function headIn(item: unknown): Head {
  const position = textIn(item, 'id')
  return { position, id: idIn(textIn(item, 'detail')) ?? position, state: textIn(item, 'state') }
}

/** Differs after any change that somebody may wait for. */
export function stampIn(item: unknown): string {
  return [textIn(item, 'state'), numberIn(item, 'token'), numberIn(item, 'format')].join(' ')
}

export function textIn(item: unknown, name: string): string {
  const value = memberOf(item, name, 'S')
  return typeof value === 'string' ? value : ''
}

function numberIn(item: unknown, name: string): number {
  const value = memberOf(item, name, 'N')
  return typeof value === 'string' && value !== '' ? Number(value) : Number.NaN
}

function memberOf(item: unknown, name: string, type: 'S' | 'N' | 'B'): unknown {
  const value = isFields(item) ? item[name] : undefined
  return isFields(value) ? value[type] : undefined
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
