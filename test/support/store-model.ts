// The pure rules as a model: the same random verbs on a store that runs elsewhere must give the same results and records.
import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { expect } from 'vitest'
import type { IdempotencyRecord, RecordPolicy, RecoveryMode, StoredResponse } from '../../src/core/record.ts'
import type { ClaimRequest, ClaimResult, HeldLease, Outcome, Store } from '../../src/core/store.ts'
import * as rules from '../../src/core/transitions.ts'

export interface Modelled {
  readonly store: Store
  /** What is expired or forgotten leaves its token behind, as the rules know it; else nothing is left. */
  readonly keepsTokens: boolean
}

/** Compares random verbs on a store with the rules. */
export async function assertFollowsRules(
  modelled: Modelled,
  verbs: fc.Arbitrary<Verb>,
  numRuns: number,
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(verbs, { minLength: 1, maxLength: 16 }), async (list) => {
      const pair = new Pair(modelled)
      for (const verb of list) await pair.perform(verb)
    }),
    { numRuns },
  )
}

/** Mostly within their retention; some records expire at once. */
export function anyVerbs(): fc.Arbitrary<Verb> {
  const spanMs = fc.constantFrom(0, ...Array.from({ length: 9 }, () => hourMs))
  return verbsOf(anyRecovery, spanMs, fc.constant(0))
}

/** On a store that forgot later claims: some writes come with a token that it has not given out. */
export function verbsAfterForgetting(): fc.Arbitrary<Verb> {
  const recovery = fc.oneof(
    { weight: 4, arbitrary: fc.constant<RecoveryMode>('rerun') },
    { weight: 1, arbitrary: anyRecovery },
  )
  return verbsOf(recovery, fc.constant(hourMs), fc.constantFrom(0, 0, 0, 5_000_000))
}

// Time plays no part: a lease or a retention lasts for an hour, or is over at once.
const hourMs = 3_600_000

export type Verb =
  | {
      readonly verb: 'claim'
      readonly owner: string
      readonly fingerprint: string
      readonly policy: RecordPolicy
      readonly leaseMs: number
    }
  | {
      readonly verb: 'renew' | 'release' | 'complete'
      readonly lease: number
      readonly ahead: number
      readonly clean: boolean
      readonly outcome: Outcome
    }
  | { readonly verb: 'abandon'; readonly owner: string }
  | { readonly verb: 'settle'; readonly response: StoredResponse | undefined }
  | { readonly verb: 'forget' }

const leaseMs = fc.constantFrom(0, hourMs)
const anyRecovery = fc.constantFrom<RecoveryMode>('refuse', 'reconcile', 'rerun')
const policiesOf = (recovery: fc.Arbitrary<RecoveryMode>, spanMs: fc.Arbitrary<number>) =>
  fc.record({
    recovery,
    retainMs: spanMs,
    retainUnknownMs: spanMs,
  })
const sha = (letter: string) => letter.repeat(42) + 'A'
const someFingerprints = fc.constantFrom(
  'b1:one',
  'b1:two',
  'b1:one v1:two',
  'v1:two',
  'v1:one b1:two',
  `b1:${sha('x')} v1:${sha('y')}`,
  `v1:${sha('y')}`,
  `v1:${sha('z')} b1:odd`,
  'c1:one',
  'no-kind',
  'b1:one b1:two',
  'b1:',
  '',
)
// Mostly the same request, or nothing but mismatches would be met.
const fingerprints = fc.oneof(
  { weight: 4, arbitrary: fc.constant('b1:one') },
  { weight: 1, arbitrary: someFingerprints },
)
const owners = fc.constantFrom('a', 'b', 'c', 'd', 'e', '0e3b8c5a-7d0f-4b52-9a43-2f6f5a0d9c11')
const responses: fc.Arbitrary<StoredResponse> = fc.oneof(
  fc.record({
    kind: fc.constant('kept' as const),
    status: fc.constantFrom(200, 500),
    headers: fc.constantFrom([], [['x', 'y'] as const]),
    body: fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.constant({ kind: 'tombstone', status: 201, reason: 'too-large', location: '/1' } as const),
)
const outcomes: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constant({ kind: 'unknown' } as const),
  fc.record({ kind: fc.constant('response' as const), failed: fc.boolean(), response: responses }),
)
const verbsOf = (
  recovery: fc.Arbitrary<RecoveryMode>,
  spanMs: fc.Arbitrary<number>,
  ahead: fc.Arbitrary<number>,
): fc.Arbitrary<Verb> =>
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        verb: fc.constant('claim' as const),
        owner: owners,
        fingerprint: fingerprints,
        policy: policiesOf(recovery, spanMs),
        leaseMs,
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        verb: fc.constantFrom('renew' as const, 'release' as const, 'complete' as const),
        lease: fc.constantFrom(0, 0, 0, 1, 2),
        ahead,
        clean: fc.boolean(),
        outcome: outcomes,
      }),
    },
    { weight: 1, arbitrary: fc.record({ verb: fc.constant('abandon' as const), owner: owners }) },
    {
      weight: 1,
      arbitrary: fc.record({
        verb: fc.constant('settle' as const),
        response: fc.option(responses, { nil: undefined }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ verb: fc.constant('forget' as const) }) },
  )

/** One key in the store and its record in the model. */
class Pair {
  readonly #store: Store
  readonly #id = randomUUID()
  readonly #leases: Array<{ readonly real: HeldLease; readonly model: HeldLease }> = []
  readonly #requests = new Map<string, ClaimRequest>()
  #record: IdempotencyRecord | undefined
  /** Moves on with each verb, so that tokens rise in the model as they do on the server. */
  #nowMs = 1_000_000

  readonly #keepsTokens: boolean

  constructor({ store, keepsTokens }: Modelled) {
    this.#store = store
    this.#keepsTokens = keepsTokens
  }

  async perform(verb: Verb): Promise<void> {
    this.#nowMs += 1
    if (this.#isExpired() && !this.#keepsTokens) this.#record = undefined
    switch (verb.verb) {
      case 'claim':
        await this.#claim(this.#requestOf(verb.owner, { ...verb, id: this.#id }))
        break
      case 'abandon': {
        const { write } = rules.abandon(this.#record, verb.owner, this.#nowMs)
        this.#record = write ?? this.#record
        await this.#store.abandon(this.#id, verb.owner)
        break
      }
      case 'settle': {
        const resolution = verb.response
          ? { kind: 'response' as const, response: verb.response }
          : { kind: 'release' as const }
        const { result, write } = rules.settle(this.#record, resolution, this.#nowMs)
        this.#record = write ?? this.#record
        expect(await this.#store.inspect?.settle(this.#id, resolution)).toBe(result)
        break
      }
      case 'forget': {
        const existed = this.#record !== undefined && !this.#isExpired()
        // Where the token is lost with the record, whoever held it may write until the key is claimed anew.
        this.#record = this.#keepsTokens && this.#record ? { ...this.#record, expiresAtMs: 0 } : undefined
        expect(await this.#store.inspect?.forget(this.#id)).toBe(existed)
        break
      }
      default:
        await this.#write(verb)
    }
    await this.#compareRecords()
  }

  #isExpired(): boolean {
    return this.#record !== undefined && rules.isExpired(this.#record, this.#nowMs)
  }

  /** An owner stands for one request, so it claims with the same each time. */
  #requestOf(owner: string, request: ClaimRequest): ClaimRequest {
    const first = this.#requests.get(owner) ?? request
    this.#requests.set(owner, first)
    return first
  }

  async #claim(request: ClaimRequest): Promise<void> {
    const { result, write } = rules.claim(this.#record, request, this.#nowMs)
    this.#record = write ?? this.#record
    const actual = await this.#store.claim(request)
    expect(withPlainBytes(timeless(actual))).toEqual(withPlainBytes(timeless(result)))
    if (actual.kind !== 'claimed' || result.kind !== 'claimed') return
    const { attempt, takeover } = result
    const lease = { ...request, attempt, takeover: takeover !== undefined }
    this.#leases.push({ real: { ...lease, token: actual.token }, model: { ...lease, token: result.token } })
  }

  async #write(verb: Extract<Verb, { lease: number }>): Promise<void> {
    const lease = this.#leases.at(-1 - verb.lease)
    if (lease === undefined) return
    // A token of a later claim that this store forgot.
    const real = { ...lease.real, token: lease.real.token + verb.ahead }
    const model = { ...lease.model, token: lease.model.token + verb.ahead }
    const { result, write } = modelOf(verb, this.#record, model, this.#nowMs)
    this.#record = write ?? this.#record
    expect(await performOn(this.#store, verb, real)).toBe(result)
    if (verb.ahead > 0) this.#leases.push({ real, model })
  }

  async #compareRecords(): Promise<void> {
    const found = await this.#store.inspect?.get(this.#id)
    const expected = this.#record
    if (expected === undefined || this.#isExpired()) {
      expect(found).toBeUndefined()
      return
    }
    if (found === undefined || found.state === 'unreadable') throw new Error(`The record is ${found?.state}.`)
    expect(found.state).toBe(rules.inspectedState(expected, this.#nowMs))
    expect(withPlainBytes(timelessRecord(found.record))).toEqual(withPlainBytes(timelessRecord(expected)))
  }
}

function modelOf(
  verb: Extract<Verb, { lease: number }>,
  record: IdempotencyRecord | undefined,
  lease: HeldLease,
  nowMs: number,
) {
  if (verb.verb === 'renew') return rules.renew(record, lease, nowMs)
  if (verb.verb === 'release') return rules.release(record, lease, verb.clean, nowMs)
  return rules.complete(record, lease, verb.outcome, nowMs)
}

async function performOn(
  store: Store,
  verb: Extract<Verb, { lease: number }>,
  lease: HeldLease,
): Promise<unknown> {
  if (verb.verb === 'renew') return (await store.renew([lease]))[0]
  if (verb.verb === 'release') return store.release(lease, { clean: verb.clean })
  return store.complete(lease, verb.outcome)
}

function timeless(result: ClaimResult): object {
  return 'response' in result && result.kind === 'completed'
    ? { kind: result.kind, failed: result.failed, response: result.response }
    : { ...result, token: undefined, ageMs: undefined, leaseLeftMs: undefined }
}

function timelessRecord(record: IdempotencyRecord): object {
  const { token: _, expiresAtMs: _expires, ...rest } = record
  return {
    ...rest,
    claimedAtMs: undefined,
    leaseUntilMs: undefined,
    completedAtMs: undefined,
    sinceMs: undefined,
  }
}

/** A Buffer is as good as a Uint8Array of the same bytes. */
function withPlainBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (Array.isArray(value)) return value.map(withPlainBytes)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withPlainBytes(member)]))
}
