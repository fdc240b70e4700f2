// What may happen next in a state: every message may arrive, arrive twice, or never; every requester may go
// on, give up waiting, or crash; the clock may move; the store may forget; an operator may settle.

import { dispositionOf } from '../../../src/core/disposition.ts'
import type { IdempotencyRecord } from '../../../src/core/record.ts'
import type { HeldLease, Outcome } from '../../../src/core/store.ts'
import type { FinalWrite } from '../../../src/core/unacknowledged.ts'
import type { Rules } from '../rules.ts'
import type { Flaws } from '../seeded-bugs.ts'
import type { Space, Step } from './explore.ts'
import {
  afterStore,
  anew,
  brokenByAnswer,
  brokenByStart,
  brokenByState,
  brokenByStore,
} from './invariants.ts'
import { keyOfWorld } from './key.ts'
import {
  type Budget,
  claimRequest,
  firstWorld,
  leaseMs,
  type Message,
  nameOf,
  type Part,
  partOf,
  type Reply,
  type Requester,
  requesterOf,
  responseOf,
  retainUnknownMs,
  type Scenario,
  textOf,
  type World,
} from './world.ts'

export function spaceOf(scenario: Scenario, rules: Rules, flaws: Flaws): Space<World> {
  const model = { scenario, rules, flaws }
  return {
    first: firstWorld(scenario),
    steps: (world) => allSteps(model, world),
    broken: (world) => brokenByState(rules, world, scenario),
    keyOf: keyOfWorld,
  }
}

interface Model {
  readonly scenario: Scenario
  readonly rules: Rules
  readonly flaws: Flaws
}

function* allSteps(model: Model, world: World): Iterable<Step<World>> {
  for (const [index, message] of world.wire.entries()) yield* arrivals(model, world, message, index)
  for (const [index, requester] of world.requesters.entries()) yield* moves(model, world, requester, index)
  yield* surroundings(model, world)
}

// ---- the store

function* arrivals(model: Model, world: World, message: Message, index: number): Iterable<Step<World>> {
  const rest = world.wire.toSpliced(index, 1)
  if (message.decided !== undefined) {
    const { reply, write } = message.decided
    yield written(model, { ...world, wire: rest }, message, reply, write, 'writes what it decided for')
    return
  }
  const { reply, write } = applied(model, world, message)
  if (isSplit(model.flaws, message.verb)) {
    const wire = [...rest, { ...message, decided: { reply, write } }]
    yield { action: `the store reads the record for ${title(message)}`, state: { ...world, wire } }
    return
  }
  yield written(model, { ...world, wire: rest }, message, reply, write, 'carries out')
  if (world.budget.duplicate > 0) {
    const again = spend(world, 'duplicate')
    yield written(model, again, message, reply, write, 'carries out (and will again)')
  }
}

function isSplit(flaws: Flaws, verb: string): boolean {
  return flaws.split?.some((split) => split === verb) === true
}

function applied(
  { rules, scenario }: Model,
  world: World,
  { verb, from }: Message,
): { reply: Reply | undefined; write: IdempotencyRecord | undefined } {
  const { record, nowMs } = world
  if (verb === 'settle') {
    const kind = scenario.settlement ?? 'release'
    const response = responseOf(200, 'settled by hand')
    const { write } = rules.settle(record, kind === 'release' ? { kind } : { kind, response }, nowMs)
    return { reply: undefined, write }
  }
  const part = partOf(scenario, from)
  const request = claimRequest(part, from)
  if (verb === 'claim') {
    const { result, write } = rules.claim(record, request, nowMs)
    return { reply: { claim: result }, write }
  }
  if (verb === 'abandon') {
    return { reply: undefined, write: rules.abandon(record, request.owner, nowMs).write }
  }
  const held = heldBy(world, part, from)
  if (verb === 'renew') {
    const { write } = rules.renew(record, held, nowMs)
    return { reply: undefined, write }
  }
  const final = requesterOf(world, from).write
  const { result, write } =
    final?.kind === 'complete'
      ? rules.complete(record, held, final.outcome, nowMs)
      : rules.release(record, held, final?.clean ?? true, nowMs)
  return { reply: { written: result }, write }
}

function written(
  model: Model,
  world: World,
  message: Message,
  reply: Reply | undefined,
  write: IdempotencyRecord | undefined,
  how: string,
): Step<World> {
  const action = `the store ${how} ${title(message)}${replyText(reply)}`
  const broken = brokenByStore(world, message, reply, write, model.scenario)
  const after = afterStore(world, message, reply, write)
  const receiver = message.from < 0 ? undefined : requesterOf(after, message.from)
  const awaited =
    receiver !== undefined &&
    reply !== undefined &&
    ('claim' in reply
      ? receiver.phase === 'claiming'
      : receiver.phase === 'ending' || receiver.phase === 'retrying')
  const state = awaited ? change(after, message.from, { reply }) : after
  return { action, state, broken }
}

function title({ verb, from }: Message): string {
  return `${nameOf(from)}'s ${verb}`
}

function replyText(reply: Reply | undefined): string {
  if (reply === undefined) return ''
  if ('written' in reply) return `: ${reply.written}`
  const { claim } = reply
  return claim.kind === 'claimed' ? `: claimed, token ${claim.token}` : `: ${claim.kind}`
}

// ---- a requester

function* moves(model: Model, world: World, requester: Requester, index: number): Iterable<Step<World>> {
  const name = nameOf(index)
  switch (requester.phase) {
    case 'idle':
      if (index > 0 && isTwin(model, index) && world.requesters[index - 1]?.phase === 'idle') return
      yield {
        action: `${name} sends its claim`,
        state: send(change(world, index, { phase: 'claiming' }), index, 'claim'),
      }
      return
    case 'claiming':
      if (requester.reply !== undefined && 'claim' in requester.reply)
        yield* hears(model, world, requester, index)
      yield {
        action: `${name} gives up waiting, answers 503 and abandons its claim`,
        state: send(
          change(world, index, { phase: 'done', reply: undefined, told: 'unavailable' }),
          index,
          'abandon',
        ),
      }
      break
    case 'asking':
      yield* finds(model, world, index)
      yield* beats(world, index)
      break
    case 'running':
      yield* runs(model, world, requester, index)
      yield* beats(world, index)
      break
    case 'ending':
    case 'retrying':
      if (requester.reply !== undefined && 'written' in requester.reply) {
        yield concluded(world, requester, index, requester.reply.written)
      }
      if (requester.phase === 'ending') yield deferred(world, requester, index)
      break
    case 'done':
    case 'crashed':
      return
  }
  if (world.budget.crash > 0) {
    const state = change(spend(world, 'crash'), index, { phase: 'crashed', reply: undefined })
    yield { action: `${name}'s process crashes`, state }
  }
}

function isTwin({ scenario: { parts } }: Model, index: number): boolean {
  return JSON.stringify(parts[index]) === JSON.stringify(parts[index - 1])
}

function* hears(model: Model, world: World, requester: Requester, index: number): Iterable<Step<World>> {
  if (requester.reply === undefined || !('claim' in requester.reply)) return
  const { claim } = requester.reply
  const name = nameOf(index)
  if (claim.kind !== 'claimed') {
    const told = claim.kind === 'completed' ? textOf(claim.response) : claim.kind
    const state = change(world, index, { phase: 'done', reply: undefined, told })
    const broken = claim.kind === 'completed' ? brokenByAnswer(state, index) : undefined
    yield { action: `${name} hears "${claim.kind}" and answers its client`, state, broken }
    return
  }
  const { token, attempt } = claim
  const takeover = claim.takeover !== undefined
  const asks = takeover && partOf(model.scenario, index).recovery === 'reconcile'
  const held = change(world, index, {
    phase: asks ? 'asking' : 'running',
    reply: undefined,
    token,
    attempt,
    takeover,
  })
  if (asks)
    yield { action: `${name} hears that it may take over, and asks what became of the key`, state: held }
  else yield begin(model, held, index, false, `${name} hears that it holds the key, and starts its handler`)
}

/** The function of `recovery`: it looks at the effects, or fails. */
function* finds(model: Model, world: World, index: number): Iterable<Step<World>> {
  const name = nameOf(index)
  const payer = world.requesters.findIndex((other) => other.paid)
  if (payer >= 0) {
    const write = outcome(false, 200, `found ${nameOf(payer)}'s payment`)
    const state = endWith(model, world, index, write)
    yield { action: `${name} finds ${nameOf(payer)}'s payment and records it`, ...state }
  } else {
    const running = change(world, index, { phase: 'running' })
    yield begin(model, running, index, true, `${name} finds no payment and runs its handler`)
  }
  const unknown: FinalWrite = { kind: 'complete', outcome: { kind: 'unknown' } }
  yield { action: `${name} cannot find out`, ...endWith(model, world, index, unknown) }
}

function begin(model: Model, world: World, index: number, asked: boolean, action: string): Step<World> {
  const broken = brokenByStart(world, index, asked, model.scenario)
  // A run that starts after its key was given to another does not speak against the other.
  const token = world.requesters[index]?.token ?? 0
  const counts = token >= world.ghost.latestToken && token > world.ghost.newSinceToken
  const ghost = counts ? { ...world.ghost, runs: [...world.ghost.runs, index] } : world.ghost
  return { action, state: { ...world, ghost }, broken }
}

function* runs(model: Model, world: World, requester: Requester, index: number): Iterable<Step<World>> {
  const { program, recovery } = partOf(model.scenario, index)
  const name = nameOf(index)
  if (program !== 'turns-away' && !requester.paid) {
    yield { action: `${name}'s handler pays`, state: change(world, index, { paid: true }) }
    return
  }
  const status = program === 'pays' ? 201 : program === 'turns-away' ? 401 : 500
  const disposition = dispositionOf(status, recovery, undefined, false)
  const write: FinalWrite =
    disposition.kind === 'release' ? disposition : outcome(disposition.failed, status, `${name}'s ${status}`)
  const clean = write.kind === 'release' && write.clean
  const ended = clean
    ? { ...world, ghost: { ...world.ghost, runs: world.ghost.runs.filter((run) => run !== index) } }
    : world
  yield { action: `${name}'s handler ends with ${status}`, ...endWith(model, ended, index, write) }
}

function endWith(
  model: Model,
  world: World,
  index: number,
  write: FinalWrite,
): { readonly state: World; readonly broken?: string | undefined } {
  const told = model.flaws.answersBeforeRecord === true ? tellable(write) : undefined
  const ending = change(world, index, { phase: 'ending', write, told })
  const state = send(ending, index, write.kind === 'complete' ? 'complete' : 'release')
  return {
    state,
    broken: told === undefined || write.kind === 'release' ? undefined : brokenByAnswer(state, index),
  }
}

function* beats(world: World, index: number): Iterable<Step<World>> {
  if (world.budget.beat === 0) return
  yield {
    action: `${nameOf(index)}'s heartbeat sends a renewal`,
    state: send(spend(world, 'beat'), index, 'renew'),
  }
}

function concluded(
  world: World,
  requester: Requester,
  index: number,
  result: 'written' | 'stale',
): Step<World> {
  const name = nameOf(index)
  const told =
    requester.told ?? (result === 'stale' ? 'lapsed' : requester.write && tellable(requester.write))
  const state = change(world, index, { phase: 'done', reply: undefined, told })
  const tells =
    result === 'written' &&
    requester.write?.kind === 'complete' &&
    requester.write.outcome.kind === 'response'
  const broken = tells ? brokenByAnswer(state, index) : undefined
  return { action: `${name} hears "${result}" and answers its client`, state, broken }
}

/** The store is down: the client is told the truth, and the engine goes on trying. */
function deferred(world: World, requester: Requester, index: number): Step<World> {
  const told = requester.told ?? (requester.write && tellable(requester.write))
  const retrying = change(world, index, { phase: 'retrying', reply: undefined, told })
  const verb = requester.write?.kind === 'complete' ? 'complete' : 'release'
  const pending = world.wire.some((message) => message.from === index && message.verb === verb)
  return {
    action: `${nameOf(index)} gives up waiting, answers its client, and sends its ${verb} again`,
    state: pending ? retrying : send(retrying, index, verb),
  }
}

function tellable(write: FinalWrite): string {
  if (write.kind === 'release') return 'released'
  return write.outcome.kind === 'unknown' ? 'lapsed' : textOf(write.outcome.response)
}

// ---- the rest of the world

function* surroundings(model: Model, world: World): Iterable<Step<World>> {
  const { budget, nowMs } = world
  if (budget.lapse > 0) {
    yield { action: 'a lease passes', state: { ...spend(world, 'lapse'), nowMs: nowMs + leaseMs } }
  }
  if (budget.expire > 0) {
    const later = { ...spend(world, 'expire'), nowMs: nowMs + retainUnknownMs + 2 * leaseMs }
    yield { action: 'the retention passes, and every record expires', state: asNew(later) }
  }
  if (budget.clockBack > 0) {
    yield {
      action: "the store's clock goes back",
      state: { ...spend(world, 'clockBack'), nowMs: nowMs - leaseMs / 2 },
    }
  }
  if (budget.forget > 0 && world.record !== undefined) {
    const forgotten = { ...spend(world, 'forget'), record: undefined, nowMs: nowMs + 1 }
    yield { action: 'the store forgets everything', state: asNew(forgotten) }
  }
  if (budget.settle > 0 && model.scenario.settlement !== undefined) {
    yield { action: 'an operator settles the key', state: send(spend(world, 'settle'), -1, 'settle') }
  }
}

function asNew(world: World): World {
  return { ...world, ghost: anew(world.ghost) }
}

// ---- changes

function change(world: World, index: number, changes: Partial<Requester>): World {
  return { ...world, requesters: world.requesters.with(index, { ...requesterOf(world, index), ...changes }) }
}

function send(world: World, from: number, verb: Message['verb']): World {
  return { ...world, wire: [...world.wire, { verb, from }] }
}

function spend(world: World, what: keyof Budget): World {
  return { ...world, budget: { ...world.budget, [what]: world.budget[what] - 1 } }
}

function outcome(failed: boolean, status: number, text: string): FinalWrite {
  const kept: Outcome = { kind: 'response', failed, response: responseOf(status, text) }
  return { kind: 'complete', outcome: kept }
}

function heldBy(world: World, part: Part, index: number): HeldLease {
  const { token, attempt, takeover } = requesterOf(world, index)
  return { ...claimRequest(part, index), token, attempt, takeover }
}
