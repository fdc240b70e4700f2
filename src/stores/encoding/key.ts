import { createHash } from 'node:crypto'

/** A key for an id. Ids may be longer than a database's keys, and hold what is no UTF-8. */
export function keyOf(id: string): string {
  return createHash('sha256').update(Buffer.from(id, 'utf16le')).digest('hex')
}
