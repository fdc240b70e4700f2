// What a journal promises: effects are made once, whatever becomes of the records.

import { type Broken, type Facts, type KeyFacts, never, protectedRuns, type RunFacts } from './facts.ts'

/** One effect for each incarnation of a key, also where the store forgot the record, or an operator deleted it. */
export function* effectsAcrossRecords(key: KeyFacts, { terms }: Facts): Iterable<Broken> {
  if (terms.journal === 'none') return
  const paid = protectedRuns(key).filter(({ effectMs }) => effectMs !== never)
  for (const [index, first] of paid.entries()) {
    for (const second of paid.slice(index + 1)) {
      if (isAnotherIncarnation(key, first, second, terms.keepMs)) continue
      yield [
        'Effects committed once',
        `run ${second.run} had the effect that run ${first.run} had, and the journal stood`,
      ]
    }
  }
}

/** Who was replaced commits nothing from the moment in which the successor runs. */
export function* staleCommitsNothing(key: KeyFacts, { terms }: Facts): Iterable<Broken> {
  if (terms.journal !== 'transactions') return
  const runs = protectedRuns(key)
  for (const [index, stale] of runs.entries()) {
    if (stale.effectMs === never) continue
    const successor = runs.slice(index + 1).find(({ startMs }) => startMs < stale.effectMs)
    if (successor === undefined) continue
    yield [
      'A stale owner commits nothing',
      `run ${stale.run} had its effect after run ${successor.run} had begun`,
    ]
  }
}

/** What a handler hears of its step is so: the effect is there, is its own, and not of an earlier incarnation. */
export function* toldIsTrue(key: KeyFacts, { terms, runs }: Facts): Iterable<Broken> {
  if (terms.journal === 'none') return
  for (const run of protectedRuns(key)) {
    if (run.told === undefined) continue
    const { paidBy, atMs } = run.told
    if (paidBy === 0) {
      if (run.effectMs !== never) yield [truth, `run ${run.run} was told that it had no effect, and it had`]
      continue
    }
    const payer = runs.get(paidBy)
    const about = `run ${run.run} was told that run ${paidBy} had paid`
    if (payer === undefined || payer.effectMs > atMs) yield [truth, `${about}, which it had not`]
    else if (payer.request.key !== key.key || payer.request.payload !== run.request.payload)
      yield [truth, `${about}, for another request`]
    else if (payer !== run && isAnotherIncarnation(key, payer, run, terms.keepMs))
      yield [truth, `${about}, for an earlier incarnation of the key`]
  }
}

const truth = 'A step tells the truth'

/**
 * Whether the journal may have forgotten the first when the second ran: it was cleaned, or another request took the
 * key when its time was over.
 */
function isAnotherIncarnation(key: KeyFacts, first: RunFacts, second: RunFacts, keepMs: number): boolean {
  if (key.cleanedMs.some((atMs) => atMs > first.startMs && atMs < second.startMs)) return true
  const { payload } = first.request
  if (second.request.payload !== payload) return second.startMs >= first.request.sentMs + keepMs
  return key.runs.some(
    ({ request, startMs, token }) =>
      token > first.token && token < second.token && startMs > first.startMs && request.payload !== payload,
  )
}
