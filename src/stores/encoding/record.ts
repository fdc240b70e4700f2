import { nameAndMessage } from '../../core/errors.ts'
import { type IdempotencyRecord, type RecordPolicy, sinceMsOf } from '../../core/record.ts'
import { asciiJson } from './ascii.ts'
import { decodeLabel, decodeResponse, encodeBody, encodeEnvelope, encodeLabel } from './envelope.ts'
import { type Fields, integer, isFields, number, oneOf, text } from './fields.ts'
import { recordOf, recoveryModes } from './record-states.ts'
import { decodeSteps, encodeSteps } from './steps.ts'

/** The format that this release writes, and the newest that it reads. */
export const recordFormat = 1

/** A record for a database that compares revisions: what its conditions and indexes need stands beside the rest. */
export interface EncodedRecord {
  readonly id: string
  readonly format: number
  readonly state: string
  readonly token: number
  readonly leaseUntilMs: number | null
  readonly expiresAtMs: number
  /** All else but the body, as JSON in ASCII. */
  readonly detail: string
  readonly body: Uint8Array | null
}

export function encodeRecord(record: IdempotencyRecord): EncodedRecord {
  const { id, state, owner, token, attempt, policy, label, fingerprint } = record
  const response = record.state === 'completed' ? record.response : undefined
  const steps = record.fingerprint === null ? undefined : record.steps
  const detail = {
    id,
    owner,
    attempt,
    policy,
    fingerprint,
    sinceMs: sinceMsOf(record),
    ...(label && { label: encodeLabel(label) }),
    ...(record.state === 'running' && { takeover: record.takeover }),
    ...(record.state === 'completed' && { failed: record.failed }),
    ...(steps && { steps: encodeSteps(steps) }),
    ...(response && { response: encodeEnvelope(response) }),
  }
  return {
    id,
    format: recordFormat,
    state,
    token,
    leaseUntilMs: record.state === 'running' ? wholeMs(record.leaseUntilMs) : null,
    expiresAtMs: wholeMs(record.expiresAtMs),
    detail: asciiJson(JSON.stringify(detail)),
    body: response === undefined ? null : encodeBody(response),
  }
}

export type Decoded =
  | { readonly kind: 'record'; readonly record: IdempotencyRecord }
  | { readonly kind: 'unreadable'; readonly reason: string }

/** Reads the members of an {@link EncodedRecord} as a database returned them. What is wrong is never absent. */
export function decodeRecord(stored: Fields): Decoded {
  try {
    const format = integer(stored, 'format')
    if (format > recordFormat) {
      return {
        kind: 'unreadable',
        reason: `It was written by a newer release: format ${format}, and this one reads up to ${recordFormat}.`,
      }
    }
    const detail: unknown = JSON.parse(text(stored, 'detail'))
    if (!isFields(detail)) throw new Error('its detail is not an object.')
    return { kind: 'record', record: recordIn(stored, detail) }
  } catch (error) {
    return { kind: 'unreadable', reason: `It is damaged: ${nameAndMessage(error).message}` }
  }
}

function recordIn(stored: Fields, detail: Fields): IdempotencyRecord {
  const { label, fingerprint, steps } = detail
  return recordOf({
    base: {
      id: text(detail, 'id'),
      owner: text(detail, 'owner'),
      token: integer(stored, 'token'),
      attempt: integer(detail, 'attempt'),
      policy: decodePolicy(detail['policy']),
      ...(label !== undefined && { label: decodeLabel(text(detail, 'label')) }),
      expiresAtMs: number(stored, 'expiresAtMs'),
    },
    state: text(stored, 'state'),
    fingerprint: fingerprint === null ? null : text(detail, 'fingerprint'),
    steps: () => (steps === undefined ? undefined : decodeSteps(text(detail, 'steps'))),
    sinceMs: () => number(detail, 'sinceMs'),
    leaseUntilMs: () => number(stored, 'leaseUntilMs'),
    takeover: () => truth(detail, 'takeover'),
    failed: () => truth(detail, 'failed'),
    response: () => decodeResponse(text(detail, 'response'), stored['body']),
  })
}

function decodePolicy(policy: unknown): RecordPolicy {
  if (!isFields(policy)) throw new Error('its policy is not an object.')
  return {
    recovery: oneOf(recoveryModes, policy['recovery'], 'recovery'),
    retainMs: number(policy, 'retainMs'),
    retainUnknownMs: number(policy, 'retainUnknownMs'),
  }
}

function truth(fields: Fields, name: string): boolean {
  const value = fields[name]
  if (typeof value === 'boolean') return value
  throw new Error(`${name} is not true or false.`)
}

/** Databases count in whole numbers, and far beyond what a clock will show. */
function wholeMs(timeMs: number): number {
  return Math.min(Math.ceil(timeMs), Number.MAX_SAFE_INTEGER)
}
