import type { IdempotencyRecord } from '../../core/record.ts'
import { decodeFingerprint, decodeLabel, decodeOwner, decodeResponse, recoveryModes } from './encoding.ts'

export type DecodedRecord =
  | { readonly kind: 'record'; readonly record: IdempotencyRecord }
  | { readonly kind: 'unreadable'; readonly reason: string }

/** The format that this release writes, and the newest that it reads. */
const recordFormat = 1
const headBytes = 59

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
  const flags = stored.readUInt8(2)
  const [owner, fingerprintBytes, labelBytes, envelope, body] = partsOf(stored)
  const label = decodeLabel(labelBytes.toString())
  const base = {
    id,
    owner: decodeOwner(owner),
    // Seven bytes, which is more than readUIntLE takes at once.
    token: stored.readUIntLE(4, 4) + stored.readUIntLE(8, 3) * 2 ** 32,
    attempt: stored.readUInt32LE(11),
    policy: {
      recovery: recoveryIn(stored.readUInt8(3)),
      retainMs: stored.readUIntLE(27, 6),
      retainUnknownMs: stored.readUIntLE(33, 6),
    },
    ...(label && { label }),
    expiresAtMs: stored.readUIntLE(21, 6),
  }
  const sinceMs = stored.readUIntLE(15, 6)
  const state = stored.readUInt8(1)
  if (state === 2 && fingerprintBytes.length === 0) return { ...base, state: 'released', fingerprint: null }
  const fingerprint = decodeFingerprint(fingerprintBytes)
  switch (state) {
    case 1: {
      const leaseUntilMs = stored.readUIntLE(39, 6)
      const takeover = (flags & 1) !== 0
      return { ...base, state: 'running', fingerprint, claimedAtMs: sinceMs, leaseUntilMs, takeover }
    }
    case 2:
      return { ...base, state: 'released', fingerprint }
    case 3: {
      const response = decodeResponse(envelope, body)
      const failed = (flags & 2) !== 0
      return { ...base, state: 'completed', fingerprint, completedAtMs: sinceMs, failed, response }
    }
    case 4:
      return { ...base, state: 'unknown', fingerprint, sinceMs }
    default:
      throw new Error(`there is no state ${state}.`)
  }
}

function partsOf(stored: Buffer): readonly [Buffer, Buffer, Buffer, Buffer, Buffer] {
  const ownerEnd = headBytes + stored.readUInt16LE(45)
  const fingerprintEnd = ownerEnd + stored.readUInt16LE(47)
  const labelEnd = fingerprintEnd + stored.readUIntLE(49, 3)
  const envelopeEnd = labelEnd + stored.readUIntLE(52, 3)
  if (stored.length !== envelopeEnd + stored.readUInt32LE(55))
    throw new Error('its head does not fit the rest.')
  return [
    stored.subarray(headBytes, ownerEnd),
    stored.subarray(ownerEnd, fingerprintEnd),
    stored.subarray(fingerprintEnd, labelEnd),
    stored.subarray(labelEnd, envelopeEnd),
    stored.subarray(envelopeEnd),
  ]
}

function recoveryIn(code: number): (typeof recoveryModes)[number] {
  const mode = recoveryModes[code]
  if (mode === undefined) throw new Error(`there is no recovery ${code}.`)
  return mode
}
