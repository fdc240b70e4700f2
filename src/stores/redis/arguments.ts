import type { ClaimRequest, HeldLease, Outcome, StepChange } from '../../core/store.ts'
import { encodeStep } from '../encoding/steps.ts'
import type { RedisArgument } from './clients.ts'
import {
  bodyOf,
  encodeEnvelope,
  encodeFingerprint,
  encodeLabel,
  encodeOwner,
  recoveryModes,
} from './encoding.ts'

// Many small arguments cost a client more than their bytes do: what is not text goes into one, packed.

/** ARGV of lua/claim.lua. */
export function claimArguments(request: ClaimRequest, deadlineMs: number): RedisArgument[] {
  const { policy } = request
  const head = Buffer.allocUnsafe(32)
  head.writeUInt8(recoveryModes.indexOf(policy.recovery), 0)
  head.writeUIntLE(milliseconds(policy.retainMs), 1, 6)
  head.writeUIntLE(milliseconds(policy.retainUnknownMs), 7, 6)
  head.writeUIntLE(milliseconds(request.leaseMs), 13, 6)
  head.writeUIntLE(milliseconds(deadlineMs), 19, 6)
  return [withIdentity(head, request)]
}

/** ARGV of lua/renew.lua. */
export function renewArguments(lease: HeldLease): RedisArgument[] {
  return [String(lease.token), String(milliseconds(lease.leaseMs))]
}

/** ARGV of lua/complete.lua. */
export function completeArguments(lease: HeldLease, outcome: Outcome): RedisArgument[] {
  if (outcome.kind === 'unknown') return [String(lease.token), '4', '0', '', '']
  const { failed, response } = outcome
  return [String(lease.token), '3', failed ? '1' : '0', encodeEnvelope(response), bodyOf(response)]
}

/** ARGV of lua/step.lua. */
export function stepArguments(lease: HeldLease, change: StepChange): RedisArgument[] {
  const text = change.state === 'undone' ? '' : encodeStep(change)
  return [String(lease.token), change.name, text, String(milliseconds(lease.leaseMs))]
}

/** The last argument of lua/renew.lua, lua/complete.lua and lua/step.lua. */
export function leaseArgument(lease: HeldLease): Buffer {
  const { policy } = lease
  const head = Buffer.allocUnsafe(24)
  head.writeUInt8(lease.takeover ? 1 : 0, 0)
  head.writeUInt8(recoveryModes.indexOf(policy.recovery), 1)
  head.writeUIntLE(lease.attempt, 2, 3)
  head.writeUIntLE(milliseconds(policy.retainMs), 5, 6)
  head.writeUIntLE(milliseconds(policy.retainUnknownMs), 11, 6)
  return withIdentity(head, lease)
}

/** Writes three lengths into the last seven bytes of `head`, and what they belong to behind it. */
function withIdentity(head: Buffer, request: ClaimRequest): Buffer {
  const owner = encodeOwner(request.owner)
  const fingerprint = encodeFingerprint(request.fingerprint)
  const label = encodeLabel(request.label)
  const lengthsAt = head.length - 7
  head.writeUInt16LE(owner.length, lengthsAt)
  head.writeUInt16LE(fingerprint.length, lengthsAt + 2)
  head.writeUIntLE(label.length, lengthsAt + 4, 3)
  return Buffer.concat([head, owner, fingerprint, label])
}

/** A record holds whole milliseconds, in six bytes each: up to the year 6429, for times and spans alike. */
const longestMs = 2 ** 47

function milliseconds(spanMs: number): number {
  return Math.min(longestMs, Math.ceil(spanMs))
}
