import { nameAndMessage } from '../../core/errors.ts'
import type {
  HeaderList,
  IdempotencyRecord,
  RecordPolicy,
  StepRecord,
  StoredResponse,
  TombstoneReason,
} from '../../core/record.ts'
import { recordOf, recoveryModes } from '../encoding/record-states.ts'
import { decodeStep } from '../encoding/steps.ts'
import { decodeText } from '../encoding/ascii.ts'
import { decodeFingerprint, largestToken, noBytes } from './encoding.ts'

/** The format that this release writes, and the newest that it reads. */
const recordFormat = 1

/** Members of the JSON in which a statement returns a record; nobody has checked them yet. */
export type Fields = Readonly<Record<string, unknown>>

/** What lies under an id at a time of the server's clock. Expired records are absent. */
export type Found =
  | { readonly kind: 'absent' }
  | { readonly kind: 'record'; readonly record: IdempotencyRecord }
  | { readonly kind: 'unreadable'; readonly reason: string }

/** Whatever is wrong with a record makes it unreadable, never absent. */
export function findIn(fields: Fields | undefined, body: Buffer, nowMs: number): Found {
  if (fields === undefined) return { kind: 'absent' }
  const expiresAtMs = fields['expires_at_ms']
  // A damaged time may be one that JSON has no number for; the statements count that one as past too.
  if (expiresAtMs === '-Infinity') return { kind: 'absent' }
  if (typeof expiresAtMs === 'number' && expiresAtMs <= nowMs) return { kind: 'absent' }
  try {
    const format = number(fields, 'format')
    if (format > recordFormat) {
      const reason = `It was written by a newer release: format ${format}, and this one reads up to ${recordFormat}.`
      return { kind: 'unreadable', reason }
    }
    if (format !== recordFormat) throw new Error(`there is no format ${format}.`)
    return { kind: 'record', record: decodeRecord(fields, body) }
  } catch (error) {
    return { kind: 'unreadable', reason: `It is damaged: ${nameAndMessage(error).message}` }
  }
}

function decodeRecord(fields: Fields, body: Buffer): IdempotencyRecord {
  const { label_key: key, fingerprint } = fields
  // Checked in every state that has it in its column, though a released record does not tell it.
  const sinceMs = fingerprint === null ? Number.NaN : number(fields, 'since_ms')
  return recordOf({
    base: {
      id: text(fields, 'id'),
      owner: text(fields, 'owner'),
      token: tokenIn(fields),
      attempt: integer(fields, 'attempt'),
      policy: decodePolicy(fields),
      ...(key !== null && { label: { key: text(fields, 'label_key'), scope: text(fields, 'label_scope') } }),
      expiresAtMs: number(fields, 'expires_at_ms'),
    },
    state: text(fields, 'state'),
    fingerprint: fingerprint === null ? null : decodeFingerprint(texts(fields, 'fingerprint')),
    steps: () => decodeSteps(fields),
    sinceMs: () => sinceMs,
    leaseUntilMs: () => number(fields, 'lease_until_ms'),
    takeover: () => fields['takeover'] !== null,
    failed: () => fields['failed'] === true,
    response: () => decodeResponse(fields, body),
  })
}

function tokenIn(fields: Fields): number {
  const token = integer(fields, 'token')
  if (token <= largestToken) return token
  throw new Error('token is too large.')
}

/** Absent where there are none. */
export function decodeSteps(fields: Fields): readonly StepRecord[] | undefined {
  if (fields['step_texts'] === null) return undefined
  return texts(fields, 'step_texts').map((step) => decodeStep(JSON.parse(decodeText(step))))
}

export function decodeResponse(fields: Fields, body: Buffer): StoredResponse {
  const status = integer(fields, 'status')
  if (fields['tombstone'] === null) {
    const trailers = fields['trailers'] === null ? undefined : headers(fields, 'trailers')
    return { kind: 'kept', status, headers: headers(fields, 'headers'), ...(trailers && { trailers }), body }
  }
  const location = fields['location'] === null ? undefined : text(fields, 'location')
  const reason = oneOf(tombstoneReasons, fields['tombstone'], 'tombstone reason')
  return { kind: 'tombstone', status, ...(location !== undefined && { location }), reason }
}

const tombstoneReasons: readonly TombstoneReason[] = [
  'too-large',
  'cut-short',
  'not-serializable',
  'store-refused',
]

function decodePolicy(fields: Fields): RecordPolicy {
  return {
    recovery: oneOf(recoveryModes, fields['recovery'], 'recovery'),
    retainMs: number(fields, 'retain_ms'),
    retainUnknownMs: number(fields, 'retain_unknown_ms'),
  }
}

function headers(fields: Fields, name: string): HeaderList {
  const list = texts(fields, name).map(decodeText)
  if (list.length % 2 !== 0) throw new Error(`its ${name} are not pairs.`)
  const pairs: Array<readonly [string, string]> = []
  for (let index = 0; index < list.length; index += 2) pairs.push([list[index] ?? '', list[index + 1] ?? ''])
  return pairs
}

// The readers below throw a sentence that says what is wrong with a damaged record.

function number(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value === 'number') return value
  throw new Error(`${name} is not a number.`)
}

export function integer(fields: Fields, name: string): number {
  const value = fields[name]
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new Error(`${name} is not a whole number.`)
}

function text(fields: Fields, name: string): string {
  const value = fields[name]
  if (typeof value === 'string') return decodeText(value)
  throw new Error(`${name} is not text.`)
}

function texts(fields: Fields, name: string): string[] {
  const value = fields[name]
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw new Error(`${name} is not a list of texts.`)
}

function oneOf<T extends string>(choices: readonly T[], value: unknown, name: string): T {
  const choice = choices.find((candidate) => candidate === value)
  if (choice !== undefined) return choice
  throw new Error(`there is no ${name} ${JSON.stringify(value)}.`)
}

/** One column: JSON as text, so that no setting of the driver takes it apart in another way. */
export function fieldsIn(column: unknown): Fields | undefined {
  if (column === null || column === undefined) return undefined
  const value: unknown = typeof column === 'string' ? JSON.parse(column) : column
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new Error('Postgres returned something else than a record.')
}

export function bytesIn(column: unknown): Buffer {
  if (column === null || column === undefined) return noBytes
  if (column instanceof Uint8Array) return Buffer.from(column.buffer, column.byteOffset, column.byteLength)
  throw new Error('Postgres returned something else than bytes: leave the parser of bytea as it is.')
}

export function textIn(column: unknown): string {
  if (typeof column === 'string') return column
  throw new Error('Postgres returned something else than text.')
}
