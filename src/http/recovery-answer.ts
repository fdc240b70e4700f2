import type { KeptResponse } from '../core/record.ts'
import type { HeaderSelection } from './recorded-headers.ts'
import { sendable } from './sendable.ts'

/** The answer that a `recovery` function found out, in the form that is easiest to write. */
export interface RecoveryAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | number | readonly string[]>>
  /** Bytes and text as they are; anything else as JSON. */
  readonly body?: unknown
}

/**
 * @param recordable Whatever the function copied from elsewhere, fields of another exchange are not recorded.
 * @throws TypeError for an answer that no client could be given: it would stand in the record for good.
 */
export function recordedAnswer(
  { status, headers = {}, body }: RecoveryAnswer,
  recordable: HeaderSelection,
): KeptResponse {
  const list = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value): readonly [string, string] => [name, String(value)]),
  )
  const { bytes, contentType } = encoded(body)
  const typed = contentType === undefined || list.some(([name]) => name.toLowerCase() === 'content-type')
  const answer = sendable({
    kind: 'kept',
    status,
    headers: recordable(typed ? list : [...list, ['Content-Type', contentType]]),
    body: bytes,
  })
  if (answer !== undefined) return answer
  throw new TypeError(
    'The "recovery" function must return a status from 200 to 999, and headers whose names and values HTTP allows.',
  )
}

function encoded(body: unknown): { bytes: Uint8Array; contentType?: string } {
  if (body === undefined) return { bytes: new Uint8Array() }
  if (body instanceof Uint8Array) return { bytes: body, contentType: 'application/octet-stream' }
  if (typeof body === 'string') return { bytes: Buffer.from(body), contentType: 'text/plain; charset=utf-8' }
  return { bytes: Buffer.from(JSON.stringify(body)), contentType: 'application/json; charset=utf-8' }
}
