import type { StoredResponse, Tombstone, TombstoneReason } from './record.ts'

/** What remains of an answer whose body can't be kept: enough to say what happened and where. */
export function entombed(response: StoredResponse, reason: TombstoneReason): Tombstone {
  if (response.kind === 'tombstone') return response
  const location = response.headers.find(([name]) => name.toLowerCase() === 'location')?.[1]
  return { kind: 'tombstone', status: response.status, reason, ...(location !== undefined && { location }) }
}
