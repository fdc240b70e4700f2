import type { ClaimRequest, HeldLease, Outcome, StepChange } from '../../core/store.ts'
import { encodeStep } from '../encoding/steps.ts'
import { encodeText } from '../encoding/ascii.ts'
import { comparedDigests, encodeFingerprint, encodeLabel, encodeResponse, encodeSpan } from './encoding.ts'

// Members of the JSON that a statement is asked with, under the names of statements/parts.ts.

export function askClaim(request: ClaimRequest, deadlineMs: number): object {
  return { ...leaseOf(request), deadline_ms: deadlineMs }
}

export function askReclaim(request: ClaimRequest, deadlineMs: number): object {
  return { ...askClaim(request, deadlineMs), digests: comparedDigests(request.fingerprint) }
}

export function askOutcome(outcome: Outcome): object {
  if (outcome.kind === 'unknown') return { state: 'unknown' }
  const { failed, response } = outcome
  return { state: 'completed', failed, ...encodeResponse(response) }
}

export function askStep(held: HeldLease, change: StepChange): object {
  const text = change.state === 'undone' ? {} : { step_text: encodeText(encodeStep(change)) }
  return { ...askHeld(held), step_name: encodeText(change.name), ...text }
}

export function askHeld(held: HeldLease): object {
  return { ...leaseOf(held), token: held.token, attempt: held.attempt, taken_over: held.takeover }
}

function leaseOf({ id, owner, fingerprint, policy, leaseMs, label }: ClaimRequest): object {
  return {
    id: encodeText(id),
    owner: encodeText(owner),
    recovery: policy.recovery,
    retain_ms: encodeSpan(policy.retainMs),
    retain_unknown_ms: encodeSpan(policy.retainUnknownMs),
    fingerprint: encodeFingerprint(fingerprint),
    lease_ms: encodeSpan(leaseMs),
    ...encodeLabel(label),
  }
}
