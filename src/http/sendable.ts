import type { HeaderList, KeptResponse } from '../core/record.ts'
import { framing } from './recorded-headers.ts'

/**
 * The recorded answer as any connection can carry it, or undefined where none can: its record was damaged, or
 * written by something else. Fields that frame a message are the connection's to write: a recorded
 * `Transfer-Encoding` beside a length would let two servers read one answer as two.
 */
export function sendable(recorded: KeptResponse): KeptResponse | undefined {
  const { status, headers, trailers = [] } = recorded
  if (!(status >= 200 && status <= 999 && [headers, trailers].every(areFields))) return undefined
  if (!headers.some(isFraming) && !trailers.some(isFraming)) return recorded
  const { trailers: _, ...rest } = recorded
  const left = trailers.filter((field) => !isFraming(field))
  return {
    ...rest,
    headers: headers.filter((field) => !isFraming(field)),
    ...(left.length > 0 && { trailers: left }),
  }
}

// RFC 9110, sections 5.1 and 5.5: no line break, no NUL or other control, nothing beyond one byte.
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const NOT_IN_VALUES = /[^\t\x20-\x7e\x80-\xff]/

function areFields(list: HeaderList): boolean {
  return list.every(([name, value]) => NAME.test(name) && !NOT_IN_VALUES.test(value))
}

function isFraming([name]: readonly [string, string]): boolean {
  return framing.has(name.toLowerCase())
}
