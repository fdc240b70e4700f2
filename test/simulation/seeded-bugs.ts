// Protocols that are wrong on purpose. Each has the mistake of some library in the field, and each must be
// found: a harness that lets one pass would let the same mistake pass in hapax.

import type { IdempotencyRecord, RunningRecord } from '../../src/core/record.ts'
import type { ClaimRequest, HeldLease } from '../../src/core/store.ts'
import { journalBugs, type JournalFlaws } from './journal-bugs.ts'
import { realRules, type Rules } from './rules.ts'

type Found = IdempotencyRecord | undefined

/** Mistakes that are not in a rule, but in who applies it and when. */
export interface Flaws {
  /** These verbs read the record in one step and write what they decided in a later one. */
  readonly split?: readonly ('claim' | 'complete')[]
  /** The answer is told when the completion is sent, not when it is recorded. */
  readonly answersBeforeRecord?: boolean
  /** The heartbeat beats, and renews nothing. */
  readonly renewsNothing?: boolean
  readonly journal?: JournalFlaws
}

export interface SeededBug extends Flaws {
  readonly name: string
  readonly mistake: string
  readonly rules?: Partial<Rules>
  /** It can only show where handlers have steps. */
  readonly inSteps?: boolean
  /** It can only show where there is a journal. */
  readonly inJournals?: boolean
}

const recordBugs: readonly SeededBug[] = [
  {
    name: 'no-fencing',
    mistake: 'complete and release do not look at the token',
    rules: {
      complete: (found, lease, outcome, nowMs) =>
        realRules.complete(found, latest(found, lease), outcome, nowMs),
      release: (found, lease, clean, nowMs) => realRules.release(found, latest(found, lease), clean, nowMs),
    },
  },
  {
    name: 'read-then-write',
    mistake: 'claim reads the record, decides, and writes in a second step',
    split: ['claim'],
  },
  {
    name: 'fence-at-the-wrong-end',
    mistake: 'complete checks its token first and writes in a second step, whatever the token is by then',
    split: ['complete'],
  },
  {
    name: 'renewal-without-token',
    mistake: 'renew writes its lease into the record, whoever holds it by now',
    rules: {
      renew: (found, lease, nowMs) =>
        found?.state === 'running'
          ? realRules.renew(undefined, lease, nowMs)
          : realRules.renew(found, lease, nowMs),
    },
  },
  {
    name: 'answer-before-record',
    mistake: 'the client is answered when the completion is sent, not when it is recorded',
    answersBeforeRecord: true,
  },
  {
    name: 'token-restarts-at-1',
    mistake: 'a store that forgot the record counts its tokens from 1 again',
    rules: { claim: countingClaim },
  },
  {
    name: 'release-keeps-its-token',
    mistake: 'what arrives late with the token of a released claim is accepted',
    rules: {
      renew: (found, lease, nowMs) => realRules.renew(revived(found), lease, nowMs),
      complete: (found, lease, outcome, nowMs) => realRules.complete(revived(found), lease, outcome, nowMs),
    },
  },
  {
    name: 'lease-is-a-ttl',
    mistake: 'a record vanishes when its lease ends, so the next claim is a first claim',
    rules: {
      claim: (found, request, nowMs) =>
        realRules.claim(hasLapsed(found, nowMs) ? undefined : found, request, nowMs),
    },
  },
  {
    name: 'lease-never-lapses',
    mistake: 'a running record counts as in progress for ever',
    rules: {
      claim: (found, request, nowMs) =>
        realRules.claim(
          found?.state === 'running'
            ? { ...found, leaseUntilMs: Math.max(found.leaseUntilMs, nowMs + 1) }
            : found,
          request,
          nowMs,
        ),
    },
  },
  {
    name: 'takeover-by-the-route-alone',
    mistake: 'a takeover asks the policy of the route only, not the one in the record',
    rules: {
      claim: (found, request, nowMs) =>
        realRules.claim(found && { ...found, policy: request.policy }, request, nowMs),
    },
  },
  {
    name: 'fingerprint-of-completed-only',
    mistake: 'the fingerprint is compared once the record is completed, and not before',
    rules: {
      claim: (found, request, nowMs) =>
        realRules.claim(
          found === undefined || found.state === 'completed' || found.fingerprint === null
            ? found
            : { ...found, fingerprint: request.fingerprint },
          request,
          nowMs,
        ),
    },
  },
  {
    name: 'abandon-frees-anyone',
    mistake: 'abandon frees the key whoever holds it',
    rules: { abandon: (found, _owner, nowMs) => realRules.abandon(found, found?.owner ?? '', nowMs) },
  },
  {
    name: 'settlement-without-a-token',
    mistake: 'a settlement keeps the token, so a late owner writes over it',
    rules: {
      settle: (found, resolution, nowMs) => {
        const { result, write } = realRules.settle(found, resolution, nowMs)
        return write === undefined
          ? { result }
          : { result, write: { ...write, token: found?.token ?? write.token } }
      },
    },
  },
  {
    name: 'failure-counts-as-nothing',
    mistake: 'a failure that was kept does not stop the next claim',
    rules: {
      claim: (found, request, nowMs) =>
        realRules.claim(
          found?.state === 'completed' && found.failed
            ? { ...found, state: 'released', fingerprint: null }
            : found,
          request,
          nowMs,
        ),
    },
  },
  {
    name: 'same-claim-wins-twice',
    mistake: 'a claim that its owner sends again gets a second token',
    rules: {
      claim: (found, request, nowMs) =>
        found?.state === 'running' && found.owner === request.owner
          ? realRules.claim({ ...found, state: 'released', fingerprint: null }, request, nowMs)
          : realRules.claim(found, request, nowMs),
    },
  },
  {
    name: 'heartbeat-renews-nothing',
    mistake: 'the heartbeat says that it renewed, and the store never heard of it',
    renewsNothing: true,
  },
]

const stepBugs: readonly SeededBug[] = [
  {
    name: 'steps-without-a-token',
    inSteps: true,
    mistake:
      'a step that begins does not look at the token, so one that was replaced goes on beside its successor',
    rules: {
      recordStep: (found, lease, change, nowMs) =>
        realRules.recordStep(found, latest(found, lease), change, nowMs),
    },
  },
  {
    name: 'takeover-forgets-steps',
    inSteps: true,
    mistake: 'a takeover begins with an empty list of steps',
    rules: {
      claim: (found, request, nowMs) => {
        const { result, write } = realRules.claim(withoutSteps(found), request, nowMs)
        return write === undefined ? { result } : { result, write }
      },
    },
  },
]

export const seededBugs: readonly SeededBug[] = [...recordBugs, ...stepBugs, ...journalBugs]

export function rulesOf(bug: SeededBug | undefined): Rules {
  return { ...realRules, ...bug?.rules }
}

/** The lease with whatever token the record has: what a write without a fence amounts to. */
function latest(found: Found, lease: HeldLease): HeldLease {
  return found === undefined ? lease : { ...lease, token: found.token }
}

function withoutSteps(found: Found): Found {
  if (found === undefined || found.fingerprint === null) return found
  const { steps: _, ...rest } = found
  return rest
}

function revived(found: Found): Found {
  if (found?.state !== 'released') return found
  const { id, owner, token, attempt, policy, expiresAtMs } = found
  const running: RunningRecord = {
    id,
    owner,
    token,
    attempt,
    policy,
    expiresAtMs,
    state: 'running',
    fingerprint: found.fingerprint ?? '',
    claimedAtMs: 0,
    leaseUntilMs: 0,
    takeover: false,
  }
  return running
}

function hasLapsed(found: Found, nowMs: number): boolean {
  return found?.state === 'running' && found.leaseUntilMs <= nowMs
}

function countingClaim(found: Found, request: ClaimRequest, nowMs: number): ReturnType<Rules['claim']> {
  const { result, write } = realRules.claim(found, request, nowMs)
  if (result.kind !== 'claimed' || write === undefined) return { result }
  if (found?.owner === request.owner && found.state === 'running') return { result, write }
  const token = (found?.token ?? 0) + 1
  return { result: { ...result, token }, write: { ...write, token } }
}
