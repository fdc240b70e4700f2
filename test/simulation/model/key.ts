// Equal for states that need not be told apart. Written out by hand: this is where the explorer spends its time.

import type { IdempotencyRecord } from '../../../src/core/record.ts'
import { type Message, type Requester, textOf, type World } from './world.ts'

export function keyOfWorld({ nowMs, record, requesters, wire, budget, ghost }: World): string {
  const { crash, beat, duplicate, lapse, expire, clockBack, forget, settle } = budget
  let key = `${nowMs}|${crash}${beat}${duplicate}${lapse}${expire}${clockBack}${forget}${settle}|${keyOfRecord(record)}`
  key += `|${ghost.latestToken},${ghost.newSinceToken},${ghost.outcome},${ghost.outcomeFailed},${ghost.recorded.join()};${ghost.runs.join()}`
  for (const requester of requesters) key += `|${keyOfRequester(requester)}`
  // Messages may arrive in any order, so the order in which they were sent does not matter.
  const messages = wire.map(keyOfMessage)
  return `${key}|${messages.length < 2 ? messages.join() : messages.toSorted().join()}`
}

/** Attempts and expiry follow from the rest, but for what this writes down. */
function keyOfRecord(record: IdempotencyRecord | undefined): string {
  if (record === undefined) return ''
  const { state, owner, token, attempt, policy, fingerprint, expiresAtMs } = record
  const key = `${state},${owner},${token},${attempt},${policy.recovery},${fingerprint},${expiresAtMs}`
  if (state === 'running') return `${key},${record.claimedAtMs},${record.leaseUntilMs},${record.takeover}`
  return state === 'completed' ? `${key},${record.failed},${textOf(record.response)}` : key
}

function keyOfRequester({ phase, token, takeover, paid, write, reply, told }: Requester): string {
  let key = `${phase},${token},${takeover},${paid},${told}`
  if (write !== undefined) key += write.kind === 'release' ? `,r${write.clean}` : `,c${write.outcome.kind}`
  if (reply === undefined) return key
  if ('written' in reply) return `${key},${reply.written}`
  const { claim } = reply
  return claim.kind === 'claimed' ? `${key},${claim.token},${claim.takeover?.of}` : `${key},${claim.kind}`
}

function keyOfMessage({ verb, from, decided }: Message): string {
  return decided === undefined ? `${verb}${from}` : `${verb}${from}=${keyOfRecord(decided.write)}`
}
