import type { IdempotencyRecord, StepRecord } from '../../core/record.ts'
import {
  decodeFingerprint,
  decodeLabel,
  decodeOwner,
  decodeResponse,
  decodeStepList,
  recoveryModes,
} from './encoding.ts'

export type DecodedRecord =
  | { readonly kind: 'record'; readonly record: IdempotencyRecord }
  | { readonly kind: 'unreadable'; readonly reason: string }

/** The format that this release writes, and the newest that it reads. */
const recordFormat = 1
const headBytes = 46
const [running, released, completed, unknown] = [1, 2, 3, 4]

/** Reads the bytes that lua/record.lua wrote, for operators. Whatever is wrong makes the record unreadable. */
export function decodeRecord(id: string, stored: Buffer): DecodedRecord {
  const format = stored[0] ?? 0
  if (format > recordFormat) {
    const reason = `It was written by a newer release: format ${format}, and this one reads up to ${recordFormat}.`
    return { kind: 'unreadable', reason }
  }
  try {
    if (format !== recordFormat || stored.length < headBytes) throw new Error('it has no head.')
    return { kind: 'record', record: recordIn(id, stored) }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return { kind: 'unreadable', reason: `It is damaged: ${detail}` }
  }
}

function recordIn(id: string, stored: Buffer): IdempotencyRecord {
  const [state, flags] = [stored.readUInt8(1), stored.readUInt8(2)]
  const [sinceMs, retainMs, retainUnknownMs] = [
    stored.readUIntLE(14, 6),
    stored.readUIntLE(20, 6),
    stored.readUIntLE(26, 6),
  ]
  const [owner, fingerprintBytes, labelBytes, envelopeWithSteps, body] = partsOf(stored)
  const [steps, envelope] = stepsIn(envelopeWithSteps, (flags & 8) !== 0)
  const remembered = steps && { steps }
  const label = decodeLabel(labelBytes)
  const base = {
    id,
    owner: decodeOwner(owner),
    token: tokenIn(stored),
    attempt: stored.readUIntLE(11, 3),
    policy: { recovery: recoveryIn(stored.readUInt8(3)), retainMs, retainUnknownMs },
    ...(label && { label }),
  }
  const [retainedUntilMs, suspectUntilMs] = [sinceMs + retainMs, sinceMs + retainUnknownMs]
  if (state === released && fingerprintBytes.length === 0) {
    return { ...base, state: 'released', fingerprint: null, expiresAtMs: retainedUntilMs }
  }
  if (fingerprintBytes.length === 0) throw new Error('its fingerprint is missing.')
  const fingerprint = decodeFingerprint(fingerprintBytes)
  switch (state) {
    case running: {
      if (envelope.length !== 6) throw new Error('its lease has no end.')
      const leaseUntilMs = envelope.readUIntLE(0, 6)
      const expiresAtMs = leaseUntilMs + retainUnknownMs
      const takeover = (flags & 1) !== 0
      return {
        ...base,
        state: 'running',
        fingerprint,
        ...remembered,
        claimedAtMs: sinceMs,
        leaseUntilMs,
        takeover,
        expiresAtMs,
      }
    }
    case released:
      return { ...base, state: 'released', fingerprint, ...remembered, expiresAtMs: suspectUntilMs }
    case completed: {
      const ended = { completedAtMs: sinceMs, failed: (flags & 2) !== 0, expiresAtMs: retainedUntilMs }
      const response = decodeResponse(envelope, body)
      return { ...base, state: 'completed', fingerprint, ...remembered, ...ended, response }
    }
    case unknown:
      return { ...base, state: 'unknown', fingerprint, ...remembered, sinceMs, expiresAtMs: suspectUntilMs }
    default:
      throw new Error(`there is no state ${state}.`)
  }
}

/** The steps before the envelope, where a flag says that there are any. */
function stepsIn(
  envelope: Buffer,
  present: boolean,
): readonly [steps: readonly StepRecord[] | undefined, envelope: Buffer] {
  if (!present) return [undefined, envelope]
  const end = 4 + envelope.readUInt32LE(0)
  if (end === 4 || end > envelope.length) throw new Error('its steps are cut short.')
  return [decodeStepList(envelope.subarray(4, end)), envelope.subarray(end)]
}

function partsOf(stored: Buffer): readonly [Buffer, Buffer, Buffer, Buffer, Buffer] {
  const ownerEnd = headBytes + stored.readUInt16LE(32)
  const fingerprintEnd = ownerEnd + stored.readUInt16LE(34)
  const labelEnd = fingerprintEnd + stored.readUIntLE(36, 3)
  const envelopeEnd = labelEnd + stored.readUIntLE(39, 3)
  if (stored.length !== envelopeEnd + stored.readUInt32LE(42))
    throw new Error('its head does not fit the rest.')
  return [
    stored.subarray(headBytes, ownerEnd),
    stored.subarray(ownerEnd, fingerprintEnd),
    stored.subarray(fingerprintEnd, labelEnd),
    stored.subarray(labelEnd, envelopeEnd),
    stored.subarray(envelopeEnd),
  ]
}

function tokenIn(stored: Buffer): number {
  // Seven bytes, which is more than readUIntLE takes at once.
  const token = stored.readUIntLE(4, 4) + stored.readUIntLE(8, 3) * 2 ** 32
  if (!Number.isSafeInteger(token)) throw new Error('its token is too large.')
  return token
}

function recoveryIn(code: number): (typeof recoveryModes)[number] {
  const mode = recoveryModes[code]
  if (mode === undefined) throw new Error(`there is no recovery ${code}.`)
  return mode
}
