// A result of `run` is kept as the answer that an HTTP API would give: 200 with JSON, 204 for nothing, 500 for an
// error.

import { IdempotencyError, nameAndMessage } from './errors.ts'
import type { KeptResponse, StoredResponse } from './record.ts'

export function valueResponse(value: unknown): StoredResponse {
  const none: KeptResponse = { kind: 'kept', status: 204, headers: [], body: new Uint8Array() }
  if (value === undefined) return none
  try {
    const json: string | undefined = JSON.stringify(value)
    if (json !== undefined) return { ...none, status: 200, body: Buffer.from(json) }
  } catch {
    // A cycle or a bigint: the function's effects stand, so the record must too.
  }
  return { kind: 'tombstone', status: 200, reason: 'not-serializable' }
}

export function failureResponse(error: unknown): KeptResponse {
  const body = Buffer.from(JSON.stringify(nameAndMessage(error)))
  return { kind: 'kept', status: 500, headers: [], body }
}

/** The value as every later call gets it, so that a Date is a string on the first run too. */
export function toldValue<T>(response: StoredResponse): T {
  if (response.kind === 'kept') return valueOf<T>(response)
  throw new IdempotencyError(
    'result-not-serializable',
    'The function ran, but its result is not JSON, so later calls can’t have it. Return JSON or nothing.',
  )
}

function valueOf<T>(response: KeptResponse): T {
  if (response.status >= 400) throw recordedFailure(response)
  // What was recorded under this key and payload came from a function of the same result type.
  if (response.status === 204) return undefined as T
  const parsed = parsedBody(response)
  if (parsed !== undefined) return parsed.value as T
  throw new IdempotencyError('response-not-kept', 'The recorded result of this key is not JSON.')
}

function recordedFailure(response: KeptResponse): IdempotencyError {
  const recorded = parsedBody(response)?.value
  const { name, message } = nameAndMessage(hasMessage(recorded) ? recorded : `status ${response.status}`)
  const cause = Object.assign(new Error(message), { name })
  return new IdempotencyError('recorded-failure', `An earlier run of this key failed: ${message}`, { cause })
}

function hasMessage(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'message' in value
}

/** An operator may have settled the record with a body of any form. */
function parsedBody(response: KeptResponse): { value: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(response.body).toString())
    return { value }
  } catch {
    return undefined
  }
}
