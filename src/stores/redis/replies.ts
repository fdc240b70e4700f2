import type { ClaimResult, Takeover } from '../../core/store.ts'
import { decodeResponse, decodeStepList } from './encoding.ts'

export type ClaimReply =
  | { readonly kind: 'result'; readonly result: ClaimResult; readonly serverMs?: number }
  /** The claim arrived after its deadline and was not carried out. */
  | { readonly kind: 'too-late'; readonly serverMs: number }

/** What lua/claim.lua returned. */
export function readClaimReply(reply: unknown): ClaimReply {
  const fields = listIn(reply)
  switch (numberIn(fields[0])) {
    case 0:
      return { kind: 'result', result: readable(() => claimed(fields)), serverMs: numberIn(fields[4]) }
    case 1:
      return { kind: 'result', result: readable(() => completed(fields)) }
    case 2: {
      const [ageMs, leaseLeftMs] = [numberIn(fields[1]), numberIn(fields[2])]
      return { kind: 'result', result: { kind: 'running', ageMs, leaseLeftMs } }
    }
    case 3:
      return { kind: 'result', result: { kind: 'mismatch' } }
    case 4:
      return { kind: 'result', result: { kind: 'incomparable' } }
    case 5:
      return { kind: 'result', result: { kind: 'lapsed' } }
    case 6:
      return { kind: 'result', result: { kind: 'unreadable', reason: textIn(fields[1]) } }
    case 7:
      return { kind: 'too-late', serverMs: numberIn(fields[1]) }
    default:
      throw new Error('The claim script returned a code that is not known.')
  }
}

function claimed(fields: readonly unknown[]): ClaimResult {
  const token = numberIn(fields[1])
  const attempt = numberIn(fields[2])
  const takeover = takeoverIn(fields)
  const steps = fields[5] === undefined ? undefined : decodeStepList(bytesIn(fields[5]))
  if (takeover === undefined && steps === undefined) return { kind: 'claimed', token, attempt }
  return { kind: 'claimed', token, attempt, ...(takeover && { takeover }), ...(steps && { steps }) }
}

function takeoverIn(fields: readonly unknown[]): Takeover | undefined {
  switch (numberIn(fields[3])) {
    case 0:
      return undefined
    case 1:
      return { of: 'lapsed' }
    case 2:
      return { of: 'unknown' }
    case 3:
      return { of: 'released' }
    default:
      return { of: 'failed', response: decodeResponse(bytesIn(fields[6]), bytesIn(fields[7])) }
  }
}

function completed(fields: readonly unknown[]): ClaimResult {
  return {
    kind: 'completed',
    failed: numberIn(fields[1]) === 1,
    expiresInMs: numberIn(fields[2]),
    response: decodeResponse(bytesIn(fields[3]), bytesIn(fields[4])),
  }
}

/** Where the script let something through that can't be read, nothing runs all the same. */
function readable(result: () => ClaimResult): ClaimResult {
  try {
    return result()
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    return { kind: 'unreadable', reason: `It is damaged: ${detail}` }
  }
}

export function listIn(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply
  throw new Error('Redis replied with something else than a list.')
}

/** A client may be set to give numbers as text. */
export function numberIn(reply: unknown): number {
  const value = typeof reply === 'string' || Buffer.isBuffer(reply) ? Number(reply.toString()) : reply
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw new Error('Redis replied with something else than a number.')
}

export function textIn(reply: unknown): string {
  if (typeof reply === 'string' || Buffer.isBuffer(reply)) return reply.toString()
  throw new Error('Redis replied with something else than text.')
}

export function bytesIn(reply: unknown): Buffer {
  if (Buffer.isBuffer(reply)) return reply
  if (typeof reply === 'string') return Buffer.from(reply)
  throw new Error('Redis replied with something else than bytes.')
}
