import { nameAndMessage } from '../../core/errors.ts'
import {
  type CompletedRecord,
  type IdempotencyRecord,
  type RecordPolicy,
  sinceMsOf,
  type UnknownRecord,
} from '../../core/record.ts'
import { decodeSteps, encodeSteps } from '../encoding/steps.ts'
import { decodeLabel, decodeResponse, encodeBody, encodeEnvelope, encodeLabel } from '../encoding/envelope.ts'
import { type Fields, flag, integer, isFields, number, oneOf, string, text } from '../encoding/fields.ts'
import { recordOf, recoveryModes } from '../encoding/record-states.ts'
import type { SqliteStatement, SqliteValue } from './handle.ts'

/** The format that this release writes, and the newest that it reads. */
const recordFormat = 1

// In this order they are written. `position` is SQLite's to give.
export const columns = [
  'id',
  'format',
  'state',
  'owner',
  'token',
  'attempt',
  'expires_at_ms',
  'recovery',
  'retain_ms',
  'retain_unknown_ms',
  'fingerprint',
  'since_ms',
  'lease_until_ms',
  'takeover',
  'failed',
  'label',
  'steps',
  'response',
  'body',
] as const

type Column = (typeof columns)[number]

const insertingSql = `
  INSERT INTO hapax_record (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})
  ON CONFLICT (id) DO`

/** Writes nothing where there is a row, expired or not. */
export const insertSql = `${insertingSql} NOTHING`

/** Replaces the whole record but its position. Columns of newer schemas stay as they are. */
export const upsertSql = `
  ${insertingSql} UPDATE SET ${columns.map((name) => `${name} = excluded.${name}`).join(', ')}`

// node:sqlite throws where an integer is too large for a number, and a damaged row must still be listed.
const integers = new Set<Column>(['format', 'token', 'attempt', 'takeover', 'failed'])

export const headColumnsSql = columns
  .filter((name) => name !== 'body')
  .map((name) => (integers.has(name) ? `CAST(r.${name} AS REAL) AS ${name}` : `r.${name}`))
  .join(', ')

/**
 * Reads rows whose columns are {@link columns}. Objects that a driver makes are looked up by name at every use; those made here
 * are not, which takes a fifth off what a replay costs the store.
 */
export function recordReader(statement: SqliteStatement): (parameter: SqliteValue) => Fields | undefined {
  statement.setReturnArrays?.(true)
  return (parameter) => {
    const row = statement.get(parameter)
    if (Array.isArray(row)) return fieldsOf(row)
    return isFields(row) ? row : undefined
  }
}

/** In the order of {@link columns}. */
function fieldsOf(row: readonly unknown[]): Record<Column, unknown> {
  return {
    id: row[0],
    format: row[1],
    state: row[2],
    owner: row[3],
    token: row[4],
    attempt: row[5],
    expires_at_ms: row[6],
    recovery: row[7],
    retain_ms: row[8],
    retain_unknown_ms: row[9],
    fingerprint: row[10],
    since_ms: row[11],
    lease_until_ms: row[12],
    takeover: row[13],
    failed: row[14],
    label: row[15],
    steps: row[16],
    response: row[17],
    body: row[18],
  }
}

/** What stays as it is when a run ends. */
const lasting: ReadonlySet<Column> = new Set(['id', 'format', 'owner', 'token'])
const ending = columns.filter((name) => !lasting.has(name))

/**
 * The end of a run without steps, by the holder of its latest token; writes nothing to any other row. To set `id` again, too,
 * would cost a change of its index.
 */
export const endRunSql = `
  UPDATE hapax_record SET ${ending.map((name) => `${name} = ?`).join(', ')}
  WHERE id = ? AND token = ? AND owner = ? AND state = 'running' AND steps IS NULL
    AND format = ${recordFormat}`

export function encodeEnd(record: CompletedRecord | UnknownRecord): SqliteValue[] {
  const values = valuesOf(record)
  return [...ending.map((name) => values[name]), values.id, values.token, values.owner]
}

export function encodeRecord(record: IdempotencyRecord): SqliteValue[] {
  const values = valuesOf(record)
  return columns.map((name) => values[name])
}

function valuesOf(record: IdempotencyRecord): Record<Column, SqliteValue> {
  const { policy, label } = record
  const response = record.state === 'completed' ? record.response : undefined
  const steps = record.fingerprint === null ? undefined : record.steps
  return {
    id: encodeText(record.id),
    format: recordFormat,
    state: record.state,
    owner: encodeText(record.owner),
    token: record.token,
    attempt: record.attempt,
    expires_at_ms: record.expiresAtMs,
    recovery: policy.recovery,
    retain_ms: policy.retainMs,
    retain_unknown_ms: policy.retainUnknownMs,
    fingerprint: record.fingerprint === null ? null : encodeText(record.fingerprint),
    since_ms: sinceMsOf(record),
    lease_until_ms: record.state === 'running' ? record.leaseUntilMs : null,
    takeover: record.state === 'running' && record.takeover ? 1 : 0,
    failed: record.state === 'completed' && record.failed ? 1 : 0,
    label: label === undefined ? null : encodeLabel(label),
    steps: steps === undefined ? null : encodeText(encodeSteps(steps)),
    response: response === undefined ? null : encodeEnvelope(response),
    body: response === undefined ? null : encodeBody(response),
  }
}

/**
 * Text that any driver gives back as it was: libsql cuts text at a NUL, and UTF-8 has no lone surrogates.
 * Digests stay as they are, for operators to search; JSON can't be mistaken for one, as it begins with `"`.
 */
export function encodeText(value: string): string {
  return /^[\w .:/+=~-]*$/.test(value) ? value : JSON.stringify(value)
}

export function decodeText(stored: string): string {
  return stored.startsWith('"') ? string(JSON.parse(stored), 'text') : stored
}

export type DecodedRow =
  | { readonly kind: 'record'; readonly record: IdempotencyRecord }
  | { readonly kind: 'unreadable'; readonly reason: string }

/** Reads a row with all columns, `body` included. Whatever is wrong with it makes it unreadable, never absent. */
export function decodeRow(row: Fields): DecodedRow {
  try {
    const format = integer(row, 'format')
    if (format > recordFormat) {
      return {
        kind: 'unreadable',
        reason: `It was written by a newer release: format ${format}, and this one reads up to ${recordFormat}.`,
      }
    }
    return { kind: 'record', record: decodeRecord(row) }
  } catch (error) {
    return { kind: 'unreadable', reason: `It is damaged: ${nameAndMessage(error).message}` }
  }
}

function decodeRecord(row: Fields): IdempotencyRecord {
  const { label, fingerprint, steps } = row
  return recordOf({
    base: {
      id: decodeText(text(row, 'id')),
      owner: decodeText(text(row, 'owner')),
      token: integer(row, 'token'),
      attempt: integer(row, 'attempt'),
      policy: decodePolicy(row),
      ...(label !== null && { label: decodeLabel(text(row, 'label')) }),
      expiresAtMs: number(row, 'expires_at_ms'),
    },
    state: text(row, 'state'),
    fingerprint: fingerprint === null ? null : decodeText(text(row, 'fingerprint')),
    steps: () => (steps === null ? undefined : decodeSteps(decodeText(text(row, 'steps')))),
    sinceMs: () => number(row, 'since_ms'),
    leaseUntilMs: () => number(row, 'lease_until_ms'),
    takeover: () => flag(row, 'takeover'),
    failed: () => flag(row, 'failed'),
    response: () => decodeResponse(text(row, 'response'), row['body']),
  })
}

function decodePolicy(row: Fields): RecordPolicy {
  return {
    recovery: oneOf(recoveryModes, row['recovery'], 'recovery'),
    retainMs: number(row, 'retain_ms'),
    retainUnknownMs: number(row, 'retain_unknown_ms'),
  }
}
