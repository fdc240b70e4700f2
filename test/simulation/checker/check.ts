// Judges a history. Every rule is a promise of the design, stated in what a client and a bank can see.

import {
  type Broken,
  type Facts,
  factsOf,
  type KeyFacts,
  never,
  protectedRuns,
  type RequestFacts,
  type RunFacts,
} from './facts.ts'
import type { HistoryEntry, Terms, Violation } from './history.ts'
import { effectsAcrossRecords, staleCommitsNothing, toldIsTrue } from './journal-rules.ts'

export function check(history: readonly HistoryEntry[], terms: Terms): Violation[] {
  const facts = factsOf(history, terms)
  const violations: Violation[] = []
  for (const key of facts.keys.values()) {
    for (const rule of rules) {
      for (const [promise, details] of rule(key, facts)) violations.push({ promise, key: key.key, details })
    }
  }
  return violations
}

type Rule = (key: KeyFacts, facts: Facts) => Iterable<Broken>

const rules: readonly Rule[] = [
  oneWinner,
  oneEffect,
  effectsAcrossRecords,
  staleCommitsNothing,
  toldIsTrue,
  risingTokens,
  answersBelong,
  oneOutcome,
  settledStands,
  toldStands,
  refusalsAreTrue,
  neverStuck,
  failsClosed,
  closesForGood,
  toldInTime,
  calmIsCalm,
  nothingIsNoRiddle,
  waitersHear,
  everybodyHears,
]

/** 1, 5 and 6: a handler does not run again unless nothing happened, or the route said that it may. */
function* oneWinner(key: KeyFacts, facts: Facts): Iterable<Broken> {
  const runs = protectedRuns(key)
  for (const [index, first] of runs.entries()) {
    for (const second of runs.slice(index + 1)) {
      const fromMs = Math.min(first.request.sentMs, second.request.sentMs)
      if (madeNew(key, facts, fromMs, Math.max(first.startMs, second.startMs))) continue
      if (first.how === 'nothing' && first.endMs <= second.startMs) continue
      const reason = whyNotAgain(first, second, facts.terms)
      if (reason !== undefined) {
        yield ['Never twice by surprise', `run ${second.run} follows run ${first.run}: ${reason}`]
      }
    }
  }
}

/** 9: what a step did is not done again by any later run, whatever its route allows. */
function* oneEffect(key: KeyFacts, facts: Facts): Iterable<Broken> {
  // Where there is a journal, more is promised.
  if (!facts.terms.steps || facts.terms.journal !== 'none') return
  const runs = protectedRuns(key).filter(({ effectMs }) => effectMs !== never)
  for (const [index, first] of runs.entries()) {
    for (const second of runs.slice(index + 1)) {
      const fromMs = Math.min(first.request.sentMs, second.request.sentMs)
      if (madeNew(key, facts, fromMs, Math.max(first.effectMs, second.effectMs))) continue
      yield ['Effects committed once', `run ${second.run} had the effect that run ${first.run} had`]
    }
  }
}

function whyNotAgain(first: RunFacts, second: RunFacts, terms: Terms): string | undefined {
  if (first.request.payload !== second.request.payload) return 'they are different requests'
  if (first.recovery === 'refuse') return 'it must not be repeated'
  if (second.recovery === 'refuse') return 'the route refuses to run again'
  const failed = first.how === 'failed' && first.endMs <= second.startMs
  if (second.recovery === 'reconcile' && second.request.asked !== 'rerun') return 'nobody was asked'
  if (first.recovery === 'reconcile' && second.recovery === 'rerun') return 'it had to be asked about'
  if (failed) return undefined
  // A run that met a step of which nobody knows the end leaves its key at once, whatever it says itself.
  if (terms.steps && first.endMs <= second.startMs) return undefined
  if (second.startMs < first.request.sentMs + terms.leaseMs - terms.forwardMs)
    return 'its lease can’t be over yet'
  if (terms.calm && second.startMs < first.startMs + terms.maxRunMs) return 'it was alive and renewed'
  return undefined
}

/** 2: the fencing token rises with every run, whatever the store forgot. */
function* risingTokens(key: KeyFacts): Iterable<Broken> {
  const runs = protectedRuns(key)
  for (const [index, lower] of runs.entries()) {
    for (const higher of runs.slice(index + 1)) {
      if (lower.token === higher.token) {
        yield ['The fencing token rises', `runs ${lower.run} and ${higher.run} have the same token`]
      } else if (higher.startMs < lower.request.sentMs) {
        yield [
          'The fencing token rises',
          `run ${lower.run} began after run ${higher.run} and has a lower token`,
        ]
      }
    }
  }
}

/** 4, 5 and 8: an answer is one that a run of the same key and the same request gave. */
function* answersBelong(key: KeyFacts, { runs }: Facts): Iterable<Broken> {
  for (const request of key.requests) {
    const { answer } = request
    if (answer?.says !== 'answered') continue
    const about = `request ${request.number} got the answer of run ${answer.run}`
    if (answer.run === 0 && key.answeredMs.length > 0) continue
    const run = runs.get(answer.run)
    if (run === undefined) yield ['The same answer', `${about}, which never was`]
    else if (run.request.key !== key.key) yield ['Yours alone', `${about}, which had another key`]
    else if (run.request.payload !== request.payload)
      yield ['Same key, same request', `${about}, another request`]
    else if (!answer.replayed && run.request !== request)
      yield ['The same answer', `${about} as if it were its own`]
    else if (Math.min(run.endMs, run.effectMs) > answer.atMs)
      yield ['The same answer', `${about} before that was`]
  }
}

interface Recorded {
  readonly run: number
  readonly failed: boolean
  readonly sentMs: number
  readonly toldMs: number
  readonly payload: string
}

/** 2: of all that hapax says is recorded, there is one. */
function* oneOutcome(key: KeyFacts, facts: Facts): Iterable<Broken> {
  const outcomes = recordedOutcomes(key, facts)
  for (const [index, first] of outcomes.entries()) {
    const other = outcomes
      .slice(index + 1)
      .find(
        (second) =>
          second.run !== first.run &&
          !mayBeReplaced(first, key, facts) &&
          !mayBeReplaced(second, key, facts) &&
          !madeNew(key, facts, Math.min(first.sentMs, second.sentMs), Math.max(first.toldMs, second.toldMs)),
      )
    if (other !== undefined) yield ['One outcome', `runs ${first.run} and ${other.run} were both recorded`]
  }
}

/** 2: an operator's answer is the outcome: it never replaces a good one, and no late owner replaces it. */
function* settledStands(key: KeyFacts, facts: Facts): Iterable<Broken> {
  const [answeredMs] = key.answeredMs
  if (answeredMs === undefined) return
  for (const { run, failed, sentMs, toldMs } of recordedOutcomes(key, facts)) {
    const fromMs = Math.min(sentMs, answeredMs)
    if (failed || madeNew(key, facts, fromMs, Math.max(toldMs, answeredMs))) continue
    yield ['One outcome', `run ${run} was recorded, although an operator had answered for its key`]
  }
}

/** 3: what was told is recorded, so everybody who asks later hears the same. */
function* toldStands(key: KeyFacts, facts: Facts): Iterable<Broken> {
  for (const told of recordedOutcomes(key, facts)) {
    if (mayBeReplaced(told, key, facts)) continue
    for (const later of key.requests) {
      const { answer } = later
      if (later.sentMs <= told.toldMs || later.payload !== told.payload || answer === undefined) continue
      if (madeNew(key, facts, told.sentMs, answer.atMs)) continue
      if (answer.says === 'store-unavailable' || answer.says === 'response-not-kept') continue
      if (answer.says === 'answered' && (answer.run === told.run || later.run?.token === 0)) continue
      const heard = answer.says === 'answered' ? `the answer of run ${answer.run}` : `"${answer.says}"`
      yield [
        'Recorded before it is told',
        `run ${told.run} was told, but request ${later.number} heard ${heard}`,
      ]
    }
  }
}

/** 5 and 6: "key reused" and "outcome unknown" are said only where that can be. */
function* refusalsAreTrue(key: KeyFacts, { terms }: Facts): Iterable<Broken> {
  for (const { number, payload, answer, run } of key.requests) {
    if (answer === undefined || answer.says === 'answered') continue
    const others = key.requests.filter((other) => other.number !== number && other.sentMs <= answer.atMs)
    if (answer.says === 'key-reused' && !others.some((other) => other.payload !== payload)) {
      yield ['Same key, same request', `request ${number} was refused as another request, and there was none`]
    }
    // Its own COMMIT lost its answer, and the database could not be asked.
    const commits = terms.journal === 'transactions' && !terms.calm && run !== undefined
    if (commits && answer.says === 'outcome-unknown') continue
    const settled = [...key.settledMs, ...key.answeredMs].some((atMs) => atMs <= answer.atMs)
    if (
      answer.says !== 'store-unavailable' &&
      answer.says !== 'response-not-kept' &&
      others.length === 0 &&
      !settled
    ) {
      yield ['One winner', `request ${number} heard "${answer.says}", and nobody else had asked`]
    }
  }
}

/** 7: in progress at most a lease and a beat after the last sign of life. */
function* neverStuck(key: KeyFacts, facts: Facts): Iterable<Broken> {
  const { leaseMs, lateMs, storeTimeoutMs } = facts.terms
  // Where nothing fails, a record has ended before its end is told.
  const graceMs = facts.terms.calm ? 50 : leaseMs + 2 * lateMs + storeTimeoutMs + 50
  for (const request of key.requests) {
    const { answer } = request
    if (answer?.says !== 'in-progress') continue
    let aliveMs = Number.NEGATIVE_INFINITY
    for (const other of key.requests) {
      if (other !== request && other.sentMs <= answer.atMs)
        aliveMs = Math.max(aliveMs, signOfLifeMs(other, facts))
    }
    if (request.sentMs > aliveMs + graceMs) {
      yield [
        'Never stuck',
        `request ${request.number} heard "in-progress", and nobody lived since ${aliveMs} ms`,
      ]
    }
  }
}

/** Until when somebody may have renewed the claim of a request. */
function signOfLifeMs({ sentMs, run, asked, answer }: RequestFacts, { terms, endedMs }: Facts): number {
  // Who only looked at the record keeps nothing alive; a waiter may have claimed, and a lost claim may land.
  if (terms.calm && terms.waitMs === 0 && answer?.says === 'in-progress') return Number.NEGATIVE_INFINITY
  const process = run?.process ?? answer?.process
  const diedMs =
    process === undefined ? Math.max(sentMs, ...endedMs.values()) : (endedMs.get(process) ?? never)
  const deferred = asked !== undefined || (answer?.says === 'answered' && !answer.recorded)
  if (deferred && !terms.calm) return diedMs
  // A run's time is counted on its machine's monotonic clock, which sleeps when the machine does.
  if (run !== undefined && run.endMs === never)
    return Math.min(diedMs, run.startMs + terms.maxRunMs + terms.sleptMs + terms.leaseMs)
  if (answer !== undefined) return Math.min(diedMs, answer.atMs)
  return process === undefined ? Math.max(diedMs, sentMs + terms.storeTimeoutMs) : diedMs
}

/** 9: a store that is down gets its 503 in time. */
function* failsClosed(key: KeyFacts, { terms }: Facts): Iterable<Broken> {
  const waitingMs = terms.waitMs > 0 ? terms.waitMs + terms.storeTimeoutMs + 1_000 : 0
  // The claim, and then the opening of the journal.
  const operations = terms.journal === 'none' ? 1 : 2
  const limitMs = terms.storeTimeoutMs * operations + waitingMs + 2
  for (const { run, token } of key.runs) {
    if (token === 0 && !terms.bypass) yield ['Fail closed', `run ${run} was unprotected`]
  }
  for (const { number, answer } of key.requests) {
    if (answer?.says !== 'store-unavailable' || answer.tookMs === undefined) continue
    if (answer.tookMs > limitMs)
      yield ['Fail closed', `request ${number} waited ${answer.tookMs} ms for its 503`]
  }
}

/** 8.2: a process that was told to end starts no more handlers, but after a recovery that was under way. */
function* closesForGood({ runs }: KeyFacts, { closingMs }: Facts): Iterable<Broken> {
  for (const { run, process, startMs, request, token } of runs) {
    const fromMs = closingMs.get(process) ?? never
    if (startMs <= fromMs || request.asked !== undefined || token === 0) continue
    yield ['Closes for good', `run ${run} began after ${process} was told to end`]
  }
}

/** 3.6: whatever the store does, a client hears within its time-out what its handler did. */
function* toldInTime({ requests }: KeyFacts, { terms }: Facts): Iterable<Broken> {
  for (const { number, answer } of requests) {
    if (answer?.says !== 'answered' || answer.tookMs === undefined) continue
    if (answer.tookMs > terms.storeTimeoutMs + 2) {
      yield ['Told in time', `request ${number} waited ${answer.tookMs} ms after its handler had ended`]
    }
  }
}

/** 3.10: a claim that was given up leaves nothing behind: where no handler did anything, the outcome is known. */
function* nothingIsNoRiddle(key: KeyFacts, { terms }: Facts): Iterable<Broken> {
  if (!terms.gentle || key.runs.some(({ how }) => how !== 'nothing')) return
  // The application itself said that it can't tell. That stands, even against a late owner that could have told:
  // its token is stale by then, and nobody listens to stale tokens.
  if (key.requests.some(({ asked }) => asked === 'refuse')) return
  for (const { number, client, answer } of key.requests) {
    if (client !== 'probe' || answer?.says !== 'outcome-unknown') continue
    yield ['No false alarm', `request ${number} heard "outcome-unknown", and nothing had ever happened`]
  }
}

/** Where nothing fails, nobody hears of failures. */
function* calmIsCalm(key: KeyFacts, { terms }: Facts): Iterable<Broken> {
  if (!terms.calm) return
  const overran = key.runs.some((run) => run.endMs - run.startMs >= terms.maxRunMs)
  // Released for the next try, which a route that refuses to run again can't make.
  const resumable = key.runs.some((run) => run.how === 'failed' && run.recovery === 'rerun')
  const asked = key.requests.some((request) => request.asked !== undefined)
  // A journal remembers a step without an end for longer than the record answers.
  const riddle = terms.journal !== 'none' && key.runs.some(({ told }) => told === undefined)
  for (const { number, answer } of key.requests) {
    if (answer?.says === 'store-unavailable')
      yield ['No false alarm', `request ${number} heard of a store that is up`]
    if (answer?.says === 'outcome-unknown' && !overran && !resumable && !asked && !riddle) {
      yield ['No false alarm', `request ${number} heard "outcome-unknown", and nothing had failed`]
    }
  }
}

/** 5.1: who waits for the winner hears its answer when it is there, and not at the next poll. */
function* waitersHear(key: KeyFacts, { terms, runs }: Facts): Iterable<Broken> {
  if (!terms.calm) return
  for (const { number, sentMs, asked, answer } of key.requests) {
    if (answer?.says !== 'answered' || !answer.replayed) continue
    // It claimed the key itself, opened the journal, and found out.
    if (terms.journal !== 'none' && asked !== undefined) continue
    const endMs = runs.get(answer.run)?.endMs ?? never
    const lateMs = answer.atMs - endMs
    if (sentMs < endMs && lateMs > terms.storeTimeoutMs + 6) {
      yield [
        'A waiter hears at once',
        `request ${number} heard of run ${answer.run} ${lateMs} ms after its end`,
      ]
    }
  }
}

/** 7: once everything has healed, whoever asks gets a definite answer. */
function* everybodyHears(key: KeyFacts): Iterable<Broken> {
  const last = new Map<string, RequestFacts>()
  for (const request of key.requests) if (request.client === 'probe') last.set(request.payload, request)
  for (const { number, answer } of last.values()) {
    if (answer === undefined || answer.says === 'in-progress' || answer.says === 'store-unavailable') {
      yield [
        'Never stuck',
        `everything had healed, and request ${number} heard "${answer?.says ?? 'nothing'}"`,
      ]
    }
  }
}

// ---- what the rules share

/** True if the key may have counted as new at some moment of that time: forgotten, settled or expired. */
function madeNew({ settledMs }: KeyFacts, { terms }: Facts, fromMs: number, toMs: number): boolean {
  if (toMs - fromMs >= terms.retainMs - terms.forwardMs - terms.lateMs) return true
  return settledMs.some((atMs) => atMs >= fromMs && atMs <= toMs)
}

function recordedOutcomes(key: KeyFacts, { runs }: Facts): Recorded[] {
  const outcomes: Recorded[] = []
  for (const { answer, payload, sentMs } of key.requests) {
    if (answer?.says !== 'answered' || !answer.recorded || answer.run === 0) continue
    const runSentMs = runs.get(answer.run)?.request.sentMs ?? sentMs
    const failed = answer.how === 'failed'
    outcomes.push({ run: answer.run, failed, sentMs: runSentMs, toldMs: answer.atMs, payload })
  }
  return outcomes
}

/** A failure that was kept may give way to what `recovery` finds out, or to an operator's answer. */
function mayBeReplaced({ failed }: Recorded, key: KeyFacts, { terms }: Facts): boolean {
  return failed && (terms.reconciles || key.answeredMs.length > 0)
}
