import assert from 'node:assert/strict'
import { types } from 'node:util'
import type { KeptResponse, RecordPolicy, StoredResponse } from '../../core/record.ts'
import type {
  ClaimRequest,
  ClaimResult,
  HeldLease,
  Inspection,
  Outcome,
  Store,
  Takeover,
} from '../../core/store.ts'

/** A lease that ends before a case goes on, and one that does not end while a case runs on any machine. */
export const shortLeaseMs = 40
export const longLeaseMs = 60_000

/** How long to let pass so that a short lease is over. */
export const pastShortLeaseMs = shortLeaseMs + 20

export const policy: RecordPolicy = {
  recovery: 'refuse',
  retainMs: 3_600_000,
  retainUnknownMs: 7_200_000,
}

export const fingerprint = 'b1:bytes v1:value'
export const otherFingerprint = 'b1:other-bytes v1:other-value'
export const incomparableFingerprint = 'c1:custom'

let requests = 0

/** A claim by an owner of its own, with a long lease under `refuse`, unless told otherwise. */
export function requestFor(id: string, changes: Partial<ClaimRequest> = {}): ClaimRequest {
  requests += 1
  return { id, owner: `owner-${requests}`, fingerprint, policy, leaseMs: longLeaseMs, ...changes }
}

export function withRecovery(recovery: RecordPolicy['recovery']): { readonly policy: RecordPolicy } {
  return { policy: { ...policy, recovery } }
}

/** Claims, asserts that the claim was granted, and returns the lease. */
export async function mustClaim(
  store: Store,
  id: string,
  changes: Partial<ClaimRequest> = {},
): Promise<HeldLease & { readonly from: Takeover | undefined }> {
  const request = requestFor(id, changes)
  const result = await store.claim(request)
  assert(result.kind === 'claimed', `claim of ${JSON.stringify(id)} was not granted: ${result.kind}`)
  const { token, attempt, takeover } = result
  return { ...request, token, attempt, takeover: takeover !== undefined, from: takeover }
}

/** What a claim by somebody else meets. */
export async function claimKind(
  store: Store,
  id: string,
  changes: Partial<ClaimRequest> = {},
): Promise<ClaimResult['kind']> {
  return (await store.claim(requestFor(id, changes))).kind
}

export function kept(text: string, changes: Partial<KeptResponse> = {}): KeptResponse {
  return {
    kind: 'kept',
    status: 201,
    headers: [['content-type', 'text/plain']],
    body: new TextEncoder().encode(text),
    ...changes,
  }
}

export function answered(response: StoredResponse): Outcome {
  return { kind: 'response', failed: false, response }
}

export function failed(response: StoredResponse): Outcome {
  return { kind: 'response', failed: true, response }
}

export const unknown: Outcome = { kind: 'unknown' }

export async function mustComplete(store: Store, lease: HeldLease, outcome: Outcome): Promise<void> {
  assert.equal(await store.complete(lease, outcome), 'written')
}

/** Asserts that a duplicate gets this answer. */
export async function assertReplay(
  store: Store,
  id: string,
  response: StoredResponse,
  expected: { readonly failed: boolean } = { failed: false },
): Promise<void> {
  const result = await store.claim(requestFor(id))
  assert(
    result.kind === 'completed',
    `${JSON.stringify(id)} was expected to be completed, and is ${result.kind}`,
  )
  assert.equal(result.failed, expected.failed)
  assertSameResponse(result.response, response)
}

export function assertSameResponse(actual: StoredResponse, expected: StoredResponse): void {
  // First, since to tell how a tombstone differs from 10 MiB takes minutes.
  assert.equal(actual.kind, expected.kind)
  if (actual.kind === 'tombstone' || expected.kind === 'tombstone') {
    assert.deepEqual(actual, expected)
    return
  }
  const { body, ...head } = actual
  const { body: expectedBody, ...expectedHead } = expected
  assert.deepEqual(head, expectedHead)
  assert(types.isUint8Array(body), 'a body must be a Uint8Array')
  // Not deepEqual: a Buffer with the same bytes is as good, and the message for 10 MiB would be no help.
  assert(Buffer.compare(body, expectedBody) === 0, 'the body differs')
}

/** An uncleanly or cleanly released record, a lapsed one, and so on: every state that a claim can meet. */
export type Situation = 'running' | 'lapsed' | 'completed' | 'failed' | 'unknown' | 'released uncleanly'

export const situations: readonly Situation[] = [
  'running',
  'lapsed',
  'completed',
  'failed',
  'unknown',
  'released uncleanly',
]

/** Brings the record there. A lapsed one is lapsed only after {@link pastShortLeaseMs}. */
export async function bringTo(
  situation: Situation,
  store: Store,
  id: string,
  changes: Partial<ClaimRequest> = {},
): Promise<HeldLease> {
  const leaseMs = situation === 'lapsed' ? shortLeaseMs : longLeaseMs
  const lease = await mustClaim(store, id, { leaseMs, ...changes })
  switch (situation) {
    case 'running':
    case 'lapsed':
      break
    case 'completed':
      await mustComplete(store, lease, answered(kept(id)))
      break
    case 'failed':
      await mustComplete(store, lease, failed(kept(id, { status: 500 })))
      break
    case 'unknown':
      await mustComplete(store, lease, unknown)
      break
    case 'released uncleanly':
      assert.equal(await store.release(lease, { clean: false }), 'written')
  }
  return lease
}

export function inspectionOf(store: Store): Inspection {
  assert(store.inspect !== undefined, 'the store has no inspect')
  return store.inspect
}
