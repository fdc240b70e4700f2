// Also used by child processes, which must not load the test runner.
import type { KeptResponse, RecordPolicy } from '../../src/core/record.ts'
import type { ClaimRequest, Outcome } from '../../src/core/store.ts'

export const policy: RecordPolicy = { recovery: 'refuse', retainMs: 3_600_000, retainUnknownMs: 7_200_000 }

let owners = 0

export function requestFor(id: string, changes: Partial<ClaimRequest> = {}): ClaimRequest {
  owners += 1
  return { id, owner: `owner-${owners}`, fingerprint: 'b1:x', policy, leaseMs: 60_000, ...changes }
}

export function answer(
  body: string | Uint8Array,
  changes: Partial<KeptResponse> = {},
): Extract<Outcome, { kind: 'response' }> {
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  return {
    kind: 'response',
    failed: false,
    response: { kind: 'kept', status: 200, headers: [], body: bytes, ...changes },
  }
}
