import { expect } from 'vitest'
import type { ClaimRequest, HeldLease, Store } from '../../src/core/store.ts'
import { answer, requestFor } from './requests.ts'

export { answer, policy, requestFor } from './requests.ts'

export async function mustClaim(
  store: Store,
  id: string,
  changes: Partial<ClaimRequest> = {},
): Promise<HeldLease> {
  const request = requestFor(id, changes)
  const result = await store.claim(request)
  if (result.kind !== 'claimed') throw new Error(`${id} was not claimed: ${result.kind}`)
  const { token, attempt, takeover } = result
  return { ...request, token, attempt, takeover: takeover !== undefined }
}

/** Claims and completes. */
export async function record(store: Store, id: string, body: string | Uint8Array): Promise<void> {
  expect(await store.complete(await mustClaim(store, id), answer(body))).toBe('written')
}

/** The body that a duplicate gets, as text; or what the claim met instead. */
export async function replayed(store: Store, id: string): Promise<string> {
  const result = await store.claim(requestFor(id))
  if (result.kind !== 'completed') return `(${result.kind})`
  return result.response.kind === 'kept'
    ? new TextDecoder().decode(result.response.body)
    : `(tombstone ${result.response.reason})`
}
