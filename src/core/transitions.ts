// Every rule of a record's life, as pure functions from a record and a request to a result and a write.
// The embedded stores run these functions inside their lock; stores that run elsewhere (Lua, SQL) say the
// same in their own language and are held to it by the store contract.

import { compareFingerprints } from '../protocol/fingerprint.ts'
import type {
  CleanlyReleasedRecord,
  CompletedRecord,
  IdempotencyRecord,
  RecoveryMode,
  ReleasedRecord,
  RunningRecord,
  StepRecord,
  UnknownRecord,
} from './record.ts'
import type {
  ClaimRequest,
  ClaimResult,
  HeldLease,
  InspectState,
  Outcome,
  RenewResult,
  Resolution,
  SettleResult,
  StepChange,
  Takeover,
  WriteResult,
} from './store.ts'

/** The result to report, and the record to write if anything changes. */
export interface Transition<Result> {
  readonly result: Result
  readonly write?: IdempotencyRecord
}

type Found = IdempotencyRecord | undefined

export function claim(found: Found, request: ClaimRequest, nowMs: number): Transition<ClaimResult> {
  const record = unexpired(found, nowMs)
  if (record === undefined) return grant(request, nowMs, found)
  if (record.fingerprint === null) return grant(request, nowMs, record)

  switch (compareFingerprints(record.fingerprint, request.fingerprint)) {
    case 'different':
      return { result: { kind: 'mismatch' } }
    case 'incomparable':
      return { result: { kind: 'incomparable' } }
    case 'same':
      return claimSameRequest(record, request, nowMs)
  }
}

function claimSameRequest(
  record: SuspectRecord,
  request: ClaimRequest,
  nowMs: number,
): Transition<ClaimResult> {
  if (record.state === 'running') {
    if (record.owner === request.owner) return grantAgain(record, request, nowMs)
    if (record.leaseUntilMs > nowMs) return { result: stillRunning(record, nowMs) }
  }
  const takeover = takeoverOf(record)
  if (takeover !== undefined && mayTakeOver(record.policy.recovery, request.policy.recovery, takeover)) {
    return grant(request, nowMs, record, takeover, record.steps)
  }
  if (record.state === 'completed') return { result: completed(record, nowMs) }
  return { result: { kind: 'lapsed' } }
}

export function renew(found: Found, lease: HeldLease, nowMs: number): Transition<RenewResult> {
  const record = unexpired(found, nowMs)
  // A store that forgot the claim learns it again from its holder.
  if (record === undefined || record.token < lease.token) {
    return { result: 'renewed', write: runningUnder(lease, nowMs) }
  }
  if (record.token > lease.token || record.state === 'released') return { result: 'stale' }
  if (record.state !== 'running') return { result: 'renewed' }
  return { result: 'renewed', write: withLease(record, lease.leaseMs, nowMs) }
}

export function complete(
  found: Found,
  lease: HeldLease,
  outcome: Outcome,
  nowMs: number,
): Transition<WriteResult> {
  const record = unexpired(found, nowMs)
  if (record === undefined || record.token < lease.token) {
    return { result: 'written', write: ended(lease, outcome, nowMs) }
  }
  if (record.token > lease.token || record.state === 'released') return { result: 'stale' }
  // The first outcome stands: the same completion sent again is acknowledged and writes nothing.
  if (record.state === 'completed') return { result: 'written' }
  return { result: 'written', write: ended(lease, outcome, nowMs, record.steps) }
}

export function release(
  found: Found,
  lease: HeldLease,
  clean: boolean,
  nowMs: number,
): Transition<WriteResult> {
  const record = unexpired(found, nowMs)
  if (record === undefined || record.token < lease.token) return { result: 'written' }
  if (record.token > lease.token) return { result: 'stale' }
  if (record.state === 'released') return { result: 'written' }
  if (record.state !== 'running') return { result: 'stale' }
  return { result: 'written', write: released(record, clean, nowMs) }
}

export function recordStep(
  found: Found,
  lease: HeldLease,
  change: StepChange,
  nowMs: number,
): Transition<WriteResult> {
  const record = unexpired(found, nowMs)
  if (record === undefined || record.token < lease.token) {
    return { result: 'written', write: withStep(runningUnder(lease, nowMs), change) }
  }
  if (record.token > lease.token || record.state !== 'running') return { result: 'stale' }
  return { result: 'written', write: withStep(record, change) }
}

export function abandon(found: Found, owner: string, nowMs: number): Transition<void> {
  const record = unexpired(found, nowMs)
  if (record === undefined || record.state !== 'running' || record.owner !== owner)
    return { result: undefined }
  return { result: undefined, write: released(record, true, nowMs) }
}

export function settle(found: Found, resolution: Resolution, nowMs: number): Transition<SettleResult> {
  const record = unexpired(found, nowMs)
  if (record === undefined) return { result: 'absent' }
  if (record.state === 'running' && record.leaseUntilMs > nowMs) return { result: 'running' }
  if (record.state === 'completed' && !record.failed) return { result: 'completed' }
  const base = { ...baseOf(record), token: nextToken(record.token, nowMs) }
  const expiresAtMs = nowMs + record.policy.retainMs
  if (resolution.kind === 'release') {
    return { result: 'settled', write: { ...base, state: 'released', fingerprint: null, expiresAtMs } }
  }
  // A clean release stands for no request, so there is nothing to answer.
  if (record.fingerprint === null) return { result: 'absent' }
  return {
    result: 'settled',
    write: {
      ...base,
      state: 'completed',
      fingerprint: record.fingerprint,
      completedAtMs: nowMs,
      failed: false,
      response: resolution.response,
      expiresAtMs,
    },
  }
}

/** The state as operators see it: a running record whose lease is over is `lapsed`. */
export function inspectedState(
  record: IdempotencyRecord,
  nowMs: number,
): Exclude<InspectState, 'unreadable'> {
  return record.state === 'running' && record.leaseUntilMs <= nowMs ? 'lapsed' : record.state
}

export function isExpired(record: IdempotencyRecord, nowMs: number): boolean {
  return record.expiresAtMs <= nowMs
}

/** A record that stands for a request: all but a clean release. */
type SuspectRecord = Exclude<IdempotencyRecord, CleanlyReleasedRecord>

function unexpired(found: Found, nowMs: number): Found {
  return found !== undefined && isExpired(found, nowMs) ? undefined : found
}

/** Never goes back, even where the clock did or the store forgot what it gave out before. */
function nextToken(previous: number, nowMs: number): number {
  return Math.max(previous + 1, Math.floor(nowMs * 1000))
}

function grant(
  request: ClaimRequest,
  nowMs: number,
  previous: Found,
  takeover?: Takeover,
  steps?: readonly StepRecord[],
): Transition<ClaimResult> {
  const token = nextToken(previous?.token ?? 0, nowMs)
  const attempt = previous !== undefined && !isExpired(previous, nowMs) ? previous.attempt + 1 : 1
  const lease: HeldLease = { ...request, token, attempt, takeover: takeover !== undefined }
  return {
    result: { kind: 'claimed', token, attempt, ...(takeover && { takeover }), ...(steps && { steps }) },
    write: { ...runningUnder(lease, nowMs), ...(steps && { steps }) },
  }
}

/** The same claim arrived twice (its reply was lost): the same token, not a second winner. */
function grantAgain(record: RunningRecord, request: ClaimRequest, nowMs: number): Transition<ClaimResult> {
  const { token, attempt, steps } = record
  const takeover: Takeover | undefined = record.takeover ? { of: 'lapsed' } : undefined
  return {
    result: { kind: 'claimed', token, attempt, ...(takeover && { takeover }), ...(steps && { steps }) },
    write: withLease(record, request.leaseMs, nowMs),
  }
}

function takeoverOf(record: SuspectRecord): Takeover | undefined {
  switch (record.state) {
    case 'running':
      return { of: 'lapsed' }
    case 'unknown':
    case 'released':
      return { of: record.state }
    case 'completed':
      return record.failed ? { of: 'failed', response: record.response } : undefined
  }
}

const permissiveness: Record<RecoveryMode, number> = { refuse: 0, reconcile: 1, rerun: 2 }

/** Both the record's policy and the route's must allow it: see PROTOCOL in docs/protocol.md, "Takeover". */
function mayTakeOver(record: RecoveryMode, route: RecoveryMode, takeover: Takeover): boolean {
  if (route === 'refuse' || permissiveness[record] < permissiveness[route]) return false
  // A failure that was kept is an answer; only a function that can find out the truth may replace it.
  return takeover.of !== 'failed' || route === 'reconcile'
}

function runningUnder(lease: HeldLease, nowMs: number): RunningRecord {
  return {
    ...baseOf(lease),
    state: 'running',
    fingerprint: lease.fingerprint,
    claimedAtMs: nowMs,
    leaseUntilMs: nowMs + lease.leaseMs,
    takeover: lease.takeover,
    expiresAtMs: nowMs + lease.leaseMs + lease.policy.retainUnknownMs,
  }
}

function withLease(record: RunningRecord, leaseMs: number, nowMs: number): RunningRecord {
  // A clock that went back must not shorten a lease that was already given.
  const leaseUntilMs = Math.max(record.leaseUntilMs, nowMs + leaseMs)
  return { ...record, leaseUntilMs, expiresAtMs: leaseUntilMs + record.policy.retainUnknownMs }
}

/** The record of a run that ended while its holder was the last to claim. Steps outlive whatever may run again. */
export function ended(
  lease: HeldLease,
  outcome: Outcome,
  nowMs: number,
  steps?: readonly StepRecord[],
): CompletedRecord | UnknownRecord {
  const base = { ...baseOf(lease), fingerprint: lease.fingerprint }
  if (outcome.kind === 'unknown') {
    const expiresAtMs = nowMs + lease.policy.retainUnknownMs
    return { ...base, state: 'unknown', sinceMs: nowMs, expiresAtMs, ...(steps && { steps }) }
  }
  return {
    ...base,
    ...(steps && outcome.failed && { steps }),
    state: 'completed',
    completedAtMs: nowMs,
    failed: outcome.failed,
    response: outcome.response,
    expiresAtMs: nowMs + lease.policy.retainMs,
  }
}

function released(record: RunningRecord, clean: boolean, nowMs: number): ReleasedRecord {
  const { steps } = record
  const base = { ...baseOf(record), state: 'released' as const }
  if (clean && !record.takeover && steps === undefined) {
    return { ...base, fingerprint: null, expiresAtMs: nowMs + record.policy.retainMs }
  }
  const expiresAtMs = nowMs + record.policy.retainUnknownMs
  return { ...base, fingerprint: record.fingerprint, expiresAtMs, ...(steps && { steps }) }
}

function withStep(record: RunningRecord, change: StepChange): RunningRecord {
  const { steps = [], ...rest } = record
  const others = steps.filter(({ name }) => name !== change.name)
  if (change.state === 'undone') return others.length === 0 ? rest : { ...rest, steps: others }
  const known = others.length < steps.length
  const changed = known
    ? steps.map((step) => (step.name === change.name ? change : step))
    : [...steps, change]
  return { ...rest, steps: changed }
}

type Identity = Pick<IdempotencyRecord, 'id' | 'owner' | 'token' | 'attempt' | 'policy' | 'label'>

function baseOf({ id, owner, token, attempt, policy, label }: Identity): Identity {
  return { id, owner, token, attempt, policy, ...(label && { label }) }
}

function stillRunning(record: RunningRecord, nowMs: number): ClaimResult {
  return {
    kind: 'running',
    ageMs: Math.max(0, nowMs - record.claimedAtMs),
    leaseLeftMs: record.leaseUntilMs - nowMs,
  }
}

function completed(record: CompletedRecord, nowMs: number): ClaimResult {
  return {
    kind: 'completed',
    failed: record.failed,
    response: record.response,
    expiresInMs: record.expiresAtMs - nowMs,
  }
}
