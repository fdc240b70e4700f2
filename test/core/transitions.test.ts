import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { IdempotencyRecord, RecoveryMode, StoredResponse } from '../../src/core/record.ts'
import type { ClaimRequest, HeldLease, Outcome, Resolution } from '../../src/core/store.ts'
import {
  abandon,
  claim,
  complete,
  inspectedState,
  isExpired,
  release,
  renew,
  settle,
  type Transition,
} from '../../src/core/transitions.ts'
import { compareFingerprints } from '../../src/protocol/fingerprint.ts'

// Times are small, so that before, at and after a limit are all likely.
const time = fc.integer({ min: 1_000, max: 1_040 })
const duration = fc.integer({ min: 1, max: 20 })
const token = fc.integer({ min: 1_000_000, max: 1_000_010 })
const owner = fc.constantFrom('x', 'y', 'z')
const fingerprint = fc.constantFrom('b1:1 v1:1', 'b1:2 v1:1', 'b1:3 v1:3', 'c1:1')
const recovery = fc.constantFrom<RecoveryMode>('refuse', 'reconcile', 'rerun')
const policy = fc.record({ recovery, retainMs: duration, retainUnknownMs: duration })

const response = fc.oneof(
  fc.constantFrom<StoredResponse>(
    { kind: 'tombstone', status: 200, reason: 'too-large' },
    { kind: 'kept', status: 200, headers: [], body: Uint8Array.of(1) },
    { kind: 'kept', status: 500, headers: [], body: Uint8Array.of(2) },
  ),
)

const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constant<Outcome>({ kind: 'unknown' }),
  fc.record({ kind: fc.constant('response' as const), failed: fc.boolean(), response }),
)

const resolution: fc.Arbitrary<Resolution> = fc.oneof(
  fc.constant<Resolution>({ kind: 'release' }),
  fc.record({ kind: fc.constant('response' as const), response }),
)

const base = {
  id: fc.constant('k'),
  owner,
  token,
  attempt: fc.integer({ min: 1, max: 3 }),
  policy,
  expiresAtMs: time,
}

const record: fc.Arbitrary<IdempotencyRecord> = fc.oneof(
  fc.record({
    ...base,
    state: fc.constant('running' as const),
    fingerprint,
    claimedAtMs: time,
    leaseUntilMs: time,
    takeover: fc.boolean(),
  }),
  fc.record({ ...base, state: fc.constant('released' as const), fingerprint: fc.constant(null) }),
  fc.record({ ...base, state: fc.constant('released' as const), fingerprint }),
  fc.record({
    ...base,
    state: fc.constant('completed' as const),
    fingerprint,
    completedAtMs: time,
    failed: fc.boolean(),
    response,
  }),
  fc.record({ ...base, state: fc.constant('unknown' as const), fingerprint, sinceMs: time }),
)

const request = fc.record({ id: fc.constant('k'), owner, fingerprint, policy, leaseMs: duration })
const lease: fc.Arbitrary<HeldLease> = fc
  .record({ request, token, attempt: fc.integer({ min: 1, max: 3 }), takeover: fc.boolean() })
  .map(({ request: claimed, ...rest }) => ({ ...claimed, ...rest }))

/** Everything but a claim that can be done to a record by whoever holds this lease. */
const verb: fc.Arbitrary<Applied> = fc.oneof(
  lease.map((held): Applied => ({ held, apply: (found, nowMs) => renew(found, held, nowMs) })),
  fc
    .tuple(lease, outcome)
    .map(([held, end]): Applied => ({ held, apply: (found, nowMs) => complete(found, held, end, nowMs) })),
  fc
    .tuple(lease, fc.boolean())
    .map(([held, clean]): Applied => ({ held, apply: (found, nowMs) => release(found, held, clean, nowMs) })),
)

interface Applied {
  readonly held: HeldLease
  apply(found: IdempotencyRecord, nowMs: number): Transition<unknown>
}

const numRuns = 2_000

function check<Values extends [unknown, ...unknown[]]>(
  ...property: Parameters<typeof fc.property<Values>>
): void {
  fc.assert(fc.property<Values>(...property), { numRuns })
}

describe('a token', () => {
  test('rises with every grant of a known key, expired or not, whatever the clock says', () => {
    check(record, request, time, (found, claimed, nowMs) => {
      const { result, write } = claim(found, claimed, nowMs)
      if (result.kind !== 'claimed') return
      expect(write?.token).toBe(result.token)
      const isSameClaim =
        found.state === 'running' && found.owner === claimed.owner && !isExpired(found, nowMs)
      if (isSameClaim && compareFingerprints(found.fingerprint, claimed.fingerprint) === 'same') {
        if (result.token === found.token) return
      }
      expect(result.token).toBeGreaterThan(found.token)
    })
  })

  test('of a record that is there never goes back', () => {
    check(record, verb, time, (found, { apply }, nowMs) => {
      fc.pre(!isExpired(found, nowMs))
      const { write } = apply(found, nowMs)
      if (write !== undefined) expect(write.token).toBeGreaterThanOrEqual(found.token)
    })
  })

  test('is the time in microseconds where nothing is known, and a safe integer today', () => {
    const claimed = { id: 'k', owner: 'x', fingerprint: 'b1:1', leaseMs: 1, policy: neverRecovered }
    const nowMs = Date.UTC(2026, 10, 24)
    expect(claim(undefined, claimed, nowMs).result).toEqual({
      kind: 'claimed',
      token: nowMs * 1000,
      attempt: 1,
    })
    expect(Number.isSafeInteger(Date.UTC(2200, 0) * 1000)).toBe(true)
  })
})

describe('a stale lease', () => {
  test('writes nothing, and is told so', () => {
    check(record, verb, time, (found, { held, apply }, nowMs) => {
      fc.pre(!isExpired(found, nowMs) && held.token < found.token)
      expect(apply(found, nowMs)).toEqual({ result: 'stale' })
    })
  })

  test('is also one whose claim was released: it can neither renew nor complete', () => {
    check(record, lease, outcome, time, (found, held, end, nowMs) => {
      fc.pre(!isExpired(found, nowMs) && found.state === 'released')
      const same = { ...held, token: found.token }
      expect(renew(found, same, nowMs)).toEqual({ result: 'stale' })
      expect(complete(found, same, end, nowMs)).toEqual({ result: 'stale' })
    })
  })
})

describe('an outcome', () => {
  test('that is good is never replaced while it is kept, but by a later token of a store that fell back', () => {
    check(record, verb, time, (found, { held, apply }, nowMs) => {
      fc.pre(found.state === 'completed' && !isExpired(found, nowMs) && held.token <= found.token)
      expect(apply(found, nowMs).write).toBeUndefined()
    })
    check(record, request, resolution, time, (found, claimed, end, nowMs) => {
      fc.pre(found.state === 'completed' && !found.failed && !isExpired(found, nowMs))
      expect(claim(found, claimed, nowMs).write).toBeUndefined()
      expect(settle(found, end, nowMs)).toEqual({ result: 'completed' })
      expect(abandon(found, claimed.owner, nowMs).write).toBeUndefined()
    })
  })

  test('is recorded at most once in any history: one good answer, and none before it under its token', () => {
    check(fc.array(fc.tuple(history, duration), { maxLength: 40 }), (script) => {
      const outcomes = play(script)
      const tokens = outcomes.map(([recordedUnder]) => recordedUnder)
      expect(new Set(tokens).size).toBe(tokens.length)
      const firstGood = outcomes.findIndex(([, isGood]) => isGood)
      if (firstGood !== -1) expect(outcomes).toHaveLength(firstGood + 1)
    })
  })
})

describe('a claim', () => {
  test('writes if and only if it is granted', () => {
    check(fc.option(record, { nil: undefined }), request, time, (found, claimed, nowMs) => {
      const { result, write } = claim(found, claimed, nowMs)
      expect(write !== undefined).toBe(result.kind === 'claimed')
    })
  })

  test('is granted only where the key is free, its own, or may be taken over', () => {
    check(record, request, time, (found, claimed, nowMs) => {
      fc.pre(!isExpired(found, nowMs))
      const { result } = claim(found, claimed, nowMs)
      expect(result.kind === 'claimed').toBe(mayBeGranted(found, claimed, nowMs))
    })
  })

  test('sent twice by its owner gives the same lease, as long as it stands', () => {
    check(
      fc.option(record, { nil: undefined }),
      request,
      time,
      duration,
      (found, claimed, nowMs, laterMs) => {
        const first = claim(found, claimed, nowMs)
        fc.pre(first.write !== undefined && !isExpired(first.write, nowMs + laterMs))
        const again = claim(first.write, claimed, nowMs + laterMs)
        expect(again.result).toMatchObject({ kind: 'claimed' })
        expect(again.write?.token).toBe(first.write?.token)
        expect(again.write?.attempt).toBe(first.write?.attempt)
      },
    )
  })

  test('of an expired record treats the key as new, but for its token', () => {
    check(record, request, time, (found, claimed, nowMs) => {
      fc.pre(isExpired(found, nowMs))
      const ofExpired = claim(found, claimed, nowMs)
      const ofNew = claim(undefined, claimed, nowMs)
      expect({ ...ofExpired.write, token: 0 }).toEqual({ ...ofNew.write, token: 0 })
    })
  })

  test('counts attempts, and says what it took over', () => {
    check(record, request, time, (found, claimed, nowMs) => {
      fc.pre(!isExpired(found, nowMs) && found.state !== 'running')
      const { result, write } = claim(found, claimed, nowMs)
      if (result.kind !== 'claimed') return
      expect(result.attempt).toBe(found.attempt + 1)
      expect(result.takeover === undefined).toBe(found.fingerprint === null)
      expect(write).toMatchObject({ state: 'running', takeover: result.takeover !== undefined })
    })
  })

  test('that took over is told that it did when it is sent again', () => {
    const failure: StoredResponse = { kind: 'tombstone', status: 500, reason: 'too-large' }
    const claimed = { ...heldBy('x'), policy: { ...neverRecovered, recovery: 'reconcile' } } as const
    const ended = complete(undefined, claimed, { kind: 'response', failed: true, response: failure }, 1_000)
    const first = claim(ended.write, { ...claimed, owner: 'y' }, 1_001)
    expect(first.result).toMatchObject({ takeover: { of: 'failed' } })
    expect(claim(first.write, { ...claimed, owner: 'y' }, 1_001).result).toMatchObject({
      kind: 'claimed',
      takeover: expect.anything(),
    })
  })
})

describe('a lease', () => {
  test('is never shortened by a renewal, also where the clock went back', () => {
    check(record, lease, time, (found, held, nowMs) => {
      fc.pre(found.state === 'running' && !isExpired(found, nowMs))
      const { result, write } = renew(found, { ...held, token: found.token }, nowMs)
      expect(result).toBe('renewed')
      expect(write).toMatchObject({ state: 'running', token: found.token })
      if (found.state !== 'running' || write?.state !== 'running') return
      expect(write.leaseUntilMs).toBe(Math.max(found.leaseUntilMs, nowMs + held.leaseMs))
      expect(write.expiresAtMs).toBe(write.leaseUntilMs + found.policy.retainUnknownMs)
    })
  })
})

describe('a clean release', () => {
  test('frees the key for any request, but not where an earlier attempt is in doubt', () => {
    check(record, request, time, (found, claimed, nowMs) => {
      fc.pre(found.state === 'running' && !isExpired(found, nowMs))
      const { write } = release(found, { ...heldBy(found.owner), token: found.token }, true, nowMs)
      if (found.state !== 'running' || write?.state !== 'released') throw new Error('was not released')
      expect(write.fingerprint).toBe(found.takeover ? found.fingerprint : null)
      if (!found.takeover) expect(claim(write, claimed, nowMs).result.kind).toBe('claimed')
    })
  })

  test('by abandoning is for the owner of a running record only', () => {
    check(record, owner, time, (found, by, nowMs) => {
      const { write } = abandon(found, by, nowMs)
      const applies = found.state === 'running' && found.owner === by && !isExpired(found, nowMs)
      expect(write?.state).toBe(applies ? 'released' : undefined)
    })
  })
})

describe('settling', () => {
  test('takes a new token, so that no earlier owner can write again', () => {
    check(record, verb, resolution, time, (found, { held, apply }, end, nowMs) => {
      const { result, write } = settle(found, end, nowMs)
      expect(write !== undefined).toBe(result === 'settled')
      if (write === undefined) return
      expect(write.token).toBeGreaterThan(found.token)
      fc.pre(held.token <= found.token)
      expect(apply(write, nowMs)).toEqual({ result: 'stale' })
    })
  })

  test('leaves alone what is absent, alive or well', () => {
    check(record, resolution, time, (found, end, nowMs) => {
      const { result } = settle(found, end, nowMs)
      if (isExpired(found, nowMs)) expect(result).toBe('absent')
      else if (inspectedState(found, nowMs) === 'running') expect(result).toBe('running')
      else if (found.state === 'completed' && !found.failed) expect(result).toBe('completed')
      else expect(result).toBe(found.fingerprint === null && end.kind === 'response' ? 'absent' : 'settled')
    })
  })
})

test('whatever is written lives on from now, under the id and the label that it had', () => {
  const label = { key: 'k', scope: 's' }
  check(record, request, verb, time, (found, claimed, { apply }, nowMs) => {
    const labelled = { ...found, label }
    const kept = [abandon(labelled, found.owner, nowMs), settle(labelled, { kind: 'release' }, nowMs)]
    const others = [claim(found, claimed, nowMs), apply(found, nowMs)]
    for (const { write } of [...kept, ...others]) {
      if (write === undefined) continue
      expect(write.id).toBe('k')
      expect(write.expiresAtMs).toBeGreaterThan(nowMs)
    }
    for (const { write } of kept) if (write !== undefined) expect(write.label).toEqual(label)
  })
})

const neverRecovered = { recovery: 'refuse', retainMs: 100, retainUnknownMs: 100 } as const

function heldBy(holder: string): HeldLease {
  return {
    id: 'k',
    owner: holder,
    fingerprint: 'b1:1 v1:1',
    policy: neverRecovered,
    leaseMs: 10,
    token: 1_000_000,
    attempt: 1,
    takeover: false,
  }
}

/** PROTOCOL section 2 in the words of a table, apart from the code that it judges. */
function mayBeGranted(found: IdempotencyRecord, claimed: ClaimRequest, nowMs: number): boolean {
  if (found.fingerprint === null) return true
  if (compareFingerprints(found.fingerprint, claimed.fingerprint) !== 'same') return false
  if (found.state === 'running' && found.owner === claimed.owner) return true
  if (found.state === 'running' && found.leaseUntilMs > nowMs) return false
  if (found.state === 'completed' && !found.failed) return false
  const pair = `${found.policy.recovery} ${claimed.policy.recovery}`
  if (found.state === 'completed') return ['reconcile reconcile', 'rerun reconcile'].includes(pair)
  return ['reconcile reconcile', 'rerun reconcile', 'rerun rerun'].includes(pair)
}

const history = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('claim' as const), owner, recovery }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('complete' as const), held: fc.nat(5), outcome }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('renew' as const), held: fc.nat(5) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('release' as const), held: fc.nat(5), clean: fc.boolean() }),
  },
)

type Event = typeof history extends fc.Arbitrary<infer T> ? T : never

/** Plays a history of one key that never expires; returns each outcome that was recorded, with its token. */
function play(script: readonly (readonly [Event, durationMs: number])[]): [token: number, isGood: boolean][] {
  const outcomes: [number, boolean][] = []
  const leases: HeldLease[] = []
  let nowMs = 1_000
  let found: IdempotencyRecord | undefined
  for (const [event, durationMs] of script) {
    nowMs += durationMs
    const { result, write } = step(event)
    if (event.kind === 'complete' && write !== undefined && write.state === 'completed') {
      outcomes.push([write.token, !write.failed])
    }
    if (event.kind === 'claim') remember(event, result)
    found = write ?? found
  }
  return outcomes

  function step(event: Event): Transition<unknown> {
    if (event.kind === 'claim') return claim(found, requestOf(event), nowMs)
    const held = leases.at(-1 - (event.held % Math.max(leases.length, 1)))
    if (held === undefined) return { result: undefined }
    if (event.kind === 'renew') return renew(found, held, nowMs)
    if (event.kind === 'release') return release(found, held, event.clean, nowMs)
    return complete(found, held, event.outcome, nowMs)
  }

  function requestOf(event: Event & { kind: 'claim' }): ClaimRequest {
    const lasting = { recovery: event.recovery, retainMs: 1e6, retainUnknownMs: 1e6 }
    return { id: 'k', owner: event.owner, fingerprint: 'b1:1', policy: lasting, leaseMs: 15 }
  }

  function remember(event: Event & { kind: 'claim' }, result: unknown): void {
    const { kind, token: given, attempt, takeover } = Object(result)
    if (kind !== 'claimed') return
    leases.push({ ...requestOf(event), token: given, attempt, takeover: takeover !== undefined })
  }
}
