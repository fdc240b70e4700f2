// The promises of the design, stated over what happened and not over the rules that are meant to keep them.
// Each returns the promise that a step broke, or nothing.

import { isExpired } from '../../../src/core/transitions.ts'
import type { IdempotencyRecord } from '../../../src/core/record.ts'
import type { Rules } from '../rules.ts'
import {
  claimRequest,
  type Ghost,
  leaseMs,
  type Message,
  nameOf,
  partOf,
  type Reply,
  requesterOf,
  type Scenario,
  textOf,
  type World,
} from './world.ts'

type Write = IdempotencyRecord | undefined

/** Before the write: may the store answer and write this? */
export function brokenByStore(
  world: World,
  message: Message,
  reply: Reply | undefined,
  write: Write,
  scenario: Scenario,
): string | undefined {
  const before = standing(world)
  if (reply !== undefined && 'claim' in reply) {
    return (
      brokenByClaim(world, message, reply, scenario, before) ?? brokenByWrite(world, message, write, before)
    )
  }
  return brokenByWrite(world, message, write, before)
}

function brokenByClaim(
  world: World,
  { from }: Message,
  { claim }: { readonly claim: { readonly kind: string; readonly token?: number } },
  scenario: Scenario,
  before: Write,
): string | undefined {
  const { fingerprint, owner } = claimRequest(partOf(scenario, from), from)
  const other = before !== undefined && before.fingerprint !== null && before.fingerprint !== fingerprint
  if (other && claim.kind !== 'mismatch')
    return 'Same key, same request (2.2): another request got past the record.'
  if (claim.kind !== 'claimed' || claim.token === undefined) return undefined

  const mine = before?.state === 'running' && before.owner === owner
  if (mine && claim.token !== before.token) return 'The same claim sent twice got two tokens (1.2).'
  if (!mine && claim.token <= world.ghost.latestToken)
    return 'A token was given out that is not the largest yet (1.3).'
  if (!mine && before?.state === 'running' && before.leaseUntilMs > world.nowMs) {
    return 'One winner (2.1): two claims were granted while the first one’s lease lives.'
  }
  if (world.ghost.outcome !== undefined && !world.ghost.outcomeFailed) {
    return 'One outcome: a key with a good outcome was claimed.'
  }
  return undefined
}

function brokenByWrite(
  { ghost, requesters, nowMs }: World,
  { verb, from }: Message,
  write: Write,
  before: Write,
): string | undefined {
  if (write === undefined) return undefined
  if (verb === 'abandon' && before?.owner !== nameOf(from)) return 'abandon undid the claim of another (2.8).'
  if (verb === 'settle' && before?.state === 'running' && before.leaseUntilMs > nowMs) {
    return 'A run that is alive was settled (2.9).'
  }
  if (verb === 'settle' && write.token <= ghost.latestToken) return 'A settlement took no new token (2.9).'
  if (isHeldWrite(verb) && before !== undefined) {
    const token = requesters[from]?.token ?? 0
    if (token < before.token) return `Fencing (1.4): ${verb} wrote with a token that is not the latest.`
    if (token === before.token && before.state === 'released')
      return `A released token wrote by ${verb} (2.7).`
  }
  if (ghost.outcome === undefined) return undefined
  const same = write.state === 'completed' && textOf(write.response) === ghost.outcome
  if (!ghost.outcomeFailed && !same) return 'One outcome (2.6): a good outcome was replaced.'
  if (ghost.outcomeFailed && isHeldWrite(verb) && !same)
    return 'One outcome (2.6): a recorded failure was replaced.'
  return undefined
}

function isHeldWrite(verb: Message['verb']): boolean {
  return verb === 'renew' || verb === 'complete' || verb === 'release'
}

/** What the world knows after the store wrote. */
export function afterStore(world: World, { verb }: Message, reply: Reply | undefined, write: Write): World {
  const granted =
    reply !== undefined && 'claim' in reply && reply.claim.kind === 'claimed' ? reply.claim.token : 0
  const latestToken = Math.max(world.ghost.latestToken, granted, verb === 'settle' ? (write?.token ?? 0) : 0)
  const ghost = { ...world.ghost, latestToken }
  if (write === undefined) return { ...world, ghost }
  return {
    ...world,
    record: write,
    ghost: verb === 'settle' && write.state === 'released' ? anew(ghost) : recorded(ghost, write),
  }
}

function recorded(ghost: Ghost, write: IdempotencyRecord): Ghost {
  if (write.state !== 'completed')
    return ghost.outcomeFailed ? { ...ghost, outcome: undefined, outcomeFailed: false } : ghost
  const outcome = textOf(write.response)
  // Only a store that forgot can take an outcome from a token that is not the latest, and may lose it again.
  if (write.token < ghost.latestToken) return { ...ghost, recorded: [...ghost.recorded, outcome] }
  const everRecorded = ghost.recorded.includes(outcome) ? ghost.recorded : [...ghost.recorded, outcome]
  return { ...ghost, outcome, outcomeFailed: write.failed, recorded: everRecorded }
}

/** The key counts as new: whatever ran before no longer speaks against another run. */
export function anew(ghost: Ghost): Ghost {
  return { ...ghost, outcome: undefined, outcomeFailed: false, runs: [], newSinceToken: ghost.latestToken }
}

/** A handler starts. `asked`: the application found that nothing had happened. */
export function brokenByStart(
  { ghost, requesters }: World,
  index: number,
  asked: boolean,
  scenario: Scenario,
): string | undefined {
  const { token } = requesterOf({ requesters }, index)
  if (token <= ghost.newSinceToken) return undefined
  const starting = partOf(scenario, index)
  // Its reply came so late that another has the key by now. Where that is allowed, fencing is all there is.
  if (token < ghost.latestToken && starting.recovery !== 'refuse') return undefined
  for (const run of ghost.runs) {
    const earlier = partOf(scenario, run)
    if (earlier.payload !== starting.payload) return 'Same key, same request: two requests ran under one key.'
    if (starting.recovery === 'refuse')
      return 'Never twice by surprise: a handler ran again on a route that refuses that.'
    if (earlier.recovery === 'refuse')
      return 'Never twice by surprise: a run that must not be repeated was repeated (2.4).'
    if (starting.recovery === 'reconcile' && !asked)
      return 'Never twice by surprise: nobody asked what had happened (4.4).'
    if (earlier.recovery === 'reconcile' && starting.recovery === 'rerun') {
      return 'Never twice by surprise: a rerun of a run that had to be asked about (2.4).'
    }
  }
  return undefined
}

/** A client is answered. `recorded`: hapax says that the answer is in the store. */
export function brokenByAnswer({ ghost, requesters }: World, index: number): string | undefined {
  const told = requesterOf({ requesters }, index).told ?? ''
  if (!ghost.recorded.includes(told)) return 'Recorded before it is told: an answer left that no store had.'
  return undefined
}

/** Liveness: whatever the state, a key stops being in progress once its owner is silent for a lease. */
export function brokenByState(
  rules: Rules,
  { record, nowMs }: World,
  scenario: Scenario,
): string | undefined {
  if (record?.state !== 'running') return undefined
  for (const part of scenario.parts) {
    const probe = { ...claimRequest(part, 25), owner: 'somebody who retries' }
    const { result } = rules.claim(record, probe, nowMs + 2 * leaseMs)
    if (result.kind === 'running')
      return 'Never stuck: in progress a lease and a beat after the last sign of life.'
  }
  return undefined
}

function standing({ record, nowMs }: World): Write {
  return record === undefined || isExpired(record, nowMs) ? undefined : record
}
