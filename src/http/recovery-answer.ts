import type { KeptResponse } from '../core/record.ts'

/** The answer that a `recovery` function found out, in the form that is easiest to write. */
export interface RecoveryAnswer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string | number | readonly string[]>>
  /** Bytes and text as they are; anything else as JSON. */
  readonly body?: unknown
}

export function recordedAnswer({ status, headers = {}, body }: RecoveryAnswer): KeptResponse {
  const list = Object.entries(headers).flatMap(([name, values]) =>
    [values].flat().map((value): readonly [string, string] => [name, String(value)]),
  )
  const { bytes, contentType } = encoded(body)
  const typed = contentType === undefined || list.some(([name]) => name.toLowerCase() === 'content-type')
  return {
    kind: 'kept',
    status,
    headers: typed ? list : [...list, ['Content-Type', contentType]],
    body: bytes,
  }
}

function encoded(body: unknown): { bytes: Uint8Array; contentType?: string } {
  if (body === undefined) return { bytes: new Uint8Array() }
  if (body instanceof Uint8Array) return { bytes: body, contentType: 'application/octet-stream' }
  if (typeof body === 'string') return { bytes: Buffer.from(body), contentType: 'text/plain; charset=utf-8' }
  return { bytes: Buffer.from(JSON.stringify(body)), contentType: 'application/json; charset=utf-8' }
}
