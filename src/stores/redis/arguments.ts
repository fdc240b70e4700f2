import type { ClaimRequest, HeldLease, Outcome } from '../../core/store.ts'
import type { RedisArgument } from './clients.ts'
import {
  bodyOf,
  encodeEnvelope,
  encodeFingerprint,
  encodeLabel,
  encodeOwner,
  noBytes,
  recoveryModes,
} from './encoding.ts'

export function claimArguments(request: ClaimRequest, deadlineMs: number): RedisArgument[] {
  return [
    encodeOwner(request.owner),
    encodeFingerprint(request.fingerprint),
    recoveryModes.indexOf(request.policy.recovery).toString(),
    milliseconds(request.policy.retainMs),
    milliseconds(request.policy.retainUnknownMs),
    encodeLabel(request.label),
    milliseconds(request.leaseMs),
    deadlineMs.toString(),
  ]
}

export function renewArguments(lease: HeldLease): RedisArgument[] {
  return [...leaseArguments(lease), milliseconds(lease.leaseMs)]
}

export function completeArguments(lease: HeldLease, outcome: Outcome): RedisArgument[] {
  if (outcome.kind === 'unknown') return [...leaseArguments(lease), '4', '0', '', noBytes]
  const { failed, response } = outcome
  return [...leaseArguments(lease), '3', failed ? '1' : '0', encodeEnvelope(response), bodyOf(response)]
}

/** In the order of lua/lease.lua. */
function leaseArguments(lease: HeldLease): RedisArgument[] {
  return [
    lease.token.toString(),
    lease.attempt.toString(),
    encodeOwner(lease.owner),
    encodeFingerprint(lease.fingerprint),
    recoveryModes.indexOf(lease.policy.recovery).toString(),
    milliseconds(lease.policy.retainMs),
    milliseconds(lease.policy.retainUnknownMs),
    encodeLabel(lease.label),
    lease.takeover ? '1' : '0',
  ]
}

/** A record holds whole milliseconds, in six bytes each: up to the year 6429, for times and spans alike. */
const longestMs = 2 ** 47

function milliseconds(spanMs: number): string {
  return Math.min(longestMs, Math.ceil(spanMs)).toString()
}
