// The state that the explorer walks through: one record in a store, a few requesters, and the messages
// between them. Everything is immutable, so that states can be kept and compared.

import type { IdempotencyRecord, KeptResponse, RecoveryMode } from '../../../src/core/record.ts'
import type { ClaimRequest, ClaimResult, Resolution, WriteResult } from '../../../src/core/store.ts'
import type { FinalWrite } from '../../../src/core/unacknowledged.ts'

export const leaseMs = 10
const retainMs = 100
export const retainUnknownMs = 200

/** What a requester's handler does: an effect and a good answer, an effect and an error, or a clean refusal. */
export type Program = 'pays' | 'pays-then-fails' | 'turns-away'

export interface Part {
  readonly recovery: RecoveryMode
  readonly program: Program
  /** Requesters with different payloads send different requests under the same key. */
  readonly payload: string
}

export interface Scenario {
  readonly name: string
  readonly parts: readonly Part[]
  readonly budget: Budget
  readonly settlement?: Resolution['kind']
}

/** How often each fault may still happen. */
export interface Budget {
  readonly crash: number
  readonly beat: number
  /** A message that arrives twice. */
  readonly duplicate: number
  readonly lapse: number
  readonly expire: number
  readonly clockBack: number
  readonly forget: number
  readonly settle: number
}

type Phase = 'idle' | 'claiming' | 'asking' | 'running' | 'ending' | 'retrying' | 'done' | 'crashed'

export interface Requester {
  readonly phase: Phase
  readonly token: number
  readonly attempt: number
  readonly takeover: boolean
  readonly paid: boolean
  readonly write: FinalWrite | undefined
  /** On its way from the store. */
  readonly reply: Reply | undefined
  /** What the client was told. */
  readonly told: string | undefined
}

export type Reply = { readonly claim: ClaimResult } | { readonly written: WriteResult }

type Verb = 'claim' | 'renew' | 'complete' | 'release' | 'abandon' | 'settle'

export interface Message {
  readonly verb: Verb
  /** The requester, or -1 for the operator. */
  readonly from: number
  /** Of a verb in two steps: what the first step decided to write. */
  readonly decided?: { readonly reply: Reply | undefined; readonly write: IdempotencyRecord | undefined }
}

/** What no part of the protocol knows, and the invariants are stated in. */
export interface Ghost {
  /** The largest token ever given out. */
  readonly latestToken: number
  /** The body of the good outcome that stands, or of the failure if `outcomeFailed`. */
  readonly outcome: string | undefined
  readonly outcomeFailed: boolean
  /** Every answer that was ever recorded. */
  readonly recorded: readonly string[]
  /** Runs that began since the key last counted as new, by requester, and have not ended cleanly. */
  readonly runs: readonly number[]
  /** The largest token when a forgetful store, an expiry or an operator last made the key count as new. */
  readonly newSinceToken: number
}

export interface World {
  readonly nowMs: number
  readonly record: IdempotencyRecord | undefined
  readonly requesters: readonly Requester[]
  readonly wire: readonly Message[]
  readonly budget: Budget
  readonly ghost: Ghost
}

const idle: Requester = {
  phase: 'idle',
  token: 0,
  attempt: 0,
  takeover: false,
  paid: false,
  write: undefined,
  reply: undefined,
  told: undefined,
}

export function firstWorld(scenario: Scenario): World {
  return {
    nowMs: 1_000,
    record: undefined,
    requesters: scenario.parts.map(() => idle),
    wire: [],
    budget: scenario.budget,
    ghost: {
      latestToken: 0,
      outcome: undefined,
      outcomeFailed: false,
      recorded: [],
      runs: [],
      newSinceToken: 0,
    },
  }
}

export function claimRequest(part: Part, index: number): ClaimRequest {
  return {
    id: 'key',
    owner: nameOf(index),
    fingerprint: `v1:${part.payload}`,
    policy: { recovery: part.recovery, retainMs, retainUnknownMs },
    leaseMs,
  }
}

export function responseOf(status: number, text: string): KeptResponse {
  return { kind: 'kept', status, headers: [['x', text]], body: noBytes }
}

export function textOf(response: {
  readonly kind: string
  readonly headers?: KeptResponse['headers']
}): string {
  return response.headers?.[0]?.[1] ?? response.kind
}

export function nameOf(index: number): string {
  return index < 0 ? 'the operator' : String.fromCharCode(65 + index)
}

export function requesterOf({ requesters }: Pick<World, 'requesters'>, index: number): Requester {
  const requester = requesters[index]
  if (requester === undefined) throw new RangeError(`No requester ${index}.`)
  return requester
}

export function partOf(scenario: Scenario, index: number): Part {
  const part = scenario.parts[index]
  if (part === undefined) throw new RangeError(`No part ${index}.`)
  return part
}

const noBytes = new Uint8Array()
