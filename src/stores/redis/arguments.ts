import { isUtf8 } from 'node:buffer'
import type { ClaimRequest, HeldLease, Outcome, StepChange } from '../../core/store.ts'
import { encodeStep } from '../encoding/steps.ts'
import type { RedisArgument } from './clients.ts'
import { bodyOf, encodeEnvelope, recoveryModes } from './encoding.ts'
import { identityBytes, writeIdentity } from './identity.ts'

// Many small arguments cost a client more than their bytes do: what is not text goes into one, packed.

/** ARGV of lua/claim.lua. */
export function claimArguments(request: ClaimRequest, deadlineMs: number): RedisArgument[] {
  const { policy } = request
  return [
    packed(request, (bytes) => {
      bytes.writeUInt8(recoveryModes.indexOf(policy.recovery), 0)
      bytes.writeUIntLE(milliseconds(policy.retainMs), 1, 6)
      bytes.writeUIntLE(milliseconds(policy.retainUnknownMs), 7, 6)
      bytes.writeUIntLE(milliseconds(request.leaseMs), 13, 6)
      bytes.writeUIntLE(milliseconds(deadlineMs), 19, 6)
      return 25
    }),
  ]
}

/** ARGV of lua/renew.lua. */
export function renewArguments(lease: HeldLease): RedisArgument[] {
  return [String(lease.token), String(milliseconds(lease.leaseMs))]
}

/** ARGV of lua/complete.lua. */
export function completeArguments(lease: HeldLease, outcome: Outcome): RedisArgument[] {
  if (outcome.kind === 'unknown') return [String(lease.token), '4', '0', '', '']
  const { failed, response } = outcome
  return [String(lease.token), '3', failed ? '1' : '0', encodeEnvelope(response), asText(bodyOf(response))]
}

/** ARGV of lua/step.lua. */
export function stepArguments(lease: HeldLease, change: StepChange): RedisArgument[] {
  const text = change.state === 'undone' ? '' : encodeStep(change)
  return [String(lease.token), change.name, text, String(milliseconds(lease.leaseMs))]
}

/** The last argument of lua/renew.lua, lua/complete.lua and lua/step.lua. */
export function leaseArgument(lease: HeldLease): Buffer {
  const { policy } = lease
  return packed(lease, (bytes) => {
    bytes.writeUInt8(lease.takeover ? 1 : 0, 0)
    bytes.writeUInt8(recoveryModes.indexOf(policy.recovery), 1)
    bytes.writeUIntLE(lease.attempt, 2, 3)
    bytes.writeUIntLE(milliseconds(policy.retainMs), 5, 6)
    bytes.writeUIntLE(milliseconds(policy.retainUnknownMs), 11, 6)
    return 17
  })
}

/** What `head` writes, three lengths in seven bytes, and owner, fingerprint and label, which they belong to. */
function packed(request: ClaimRequest, head: (bytes: Buffer) => number): Buffer {
  const most = longestHead + identityBytes(request)
  if (scratch.length < most) scratch = Buffer.allocUnsafe(most)
  const end = writeIdentity(scratch, head(scratch), request)
  const bytes = Buffer.allocUnsafe(end)
  scratch.copy(bytes, 0, 0, end)
  return bytes
}

const longestHead = 25
/** Written here first, as the lengths are known at the end: many small buffers cost more than one copy. */
let scratch = Buffer.allocUnsafe(1024)

/**
 * Text where it is as good as its bytes: a client writes a command of text only in one go, and copies one with bytes
 * in it piece by piece. What is long is copied sooner than read.
 */
function asText(bytes: Buffer): string | Buffer {
  return bytes.length <= longestText && isUtf8(bytes) ? bytes.toString() : bytes
}

const longestText = 4096

/** A record holds whole milliseconds, in six bytes each: up to the year 6429, for times and spans alike. */
const longestMs = 2 ** 47

function milliseconds(spanMs: number): number {
  return Math.min(longestMs, Math.ceil(spanMs))
}
