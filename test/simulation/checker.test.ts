import { describe, expect, it } from 'vitest'
import { check } from './checker/check.ts'
import type { Answer, Happening, HistoryEntry, Recovery, Terms } from './checker/history.ts'

// A checker that passes everything would pass hapax too: each promise is broken here once, by hand, beside
// the most similar history that keeps it.

const terms: Terms = {
  reconciles: false,
  leaseMs: 100,
  maxRunMs: 1_000,
  storeTimeoutMs: 20,
  waitMs: 0,
  retainMs: 1_000_000,
  calm: false,
  gentle: false,
  bypass: false,
  steps: false,
  journal: 'none',
  keepMs: 0,
  lateMs: 5,
  forwardMs: 0,
  sleptMs: 0,
}

const inSteps: Terms = { ...terms, steps: true, journal: 'steps', keepMs: 10_000 }
const inTransactions: Terms = { ...inSteps, journal: 'transactions' }

describe('the checker', () => {
  it('accepts a run and its replay', () => {
    expect(promises([...paid, at(50, request(2)), at(51, replayed(2, 1))])).toEqual([])
  })

  it('refuses a second run on a route that refuses it, whoever crashed', () => {
    const again = [
      at(0, request(1)),
      at(1, run(1, 1)),
      at(2, crashed),
      at(500, request(2)),
      at(501, run(2, 2)),
    ]
    expect(promises(again)).toEqual(['Never twice by surprise'])
    expect(promises([...again.slice(0, 3), at(400, deleted), ...again.slice(3)])).toEqual([])
  })

  it('refuses two winners', () => {
    expect(promises([...two, at(2, run(1, 1)), at(2, run(2, 2))])).toEqual(['Never twice by surprise'])
  })

  it('accepts a second run after one that did nothing, and refuses it before that one has ended', () => {
    const nothing = at(3, { kind: 'ended', run: 1, how: 'nothing' })
    const second = run(2, 2)
    expect(promises([...two, at(2, run(1, 1)), nothing, at(4, second)])).toEqual([])
    expect(promises([...two, at(2, run(1, 1)), at(2, second), nothing])).toEqual(['Never twice by surprise'])
  })

  it('refuses a rerun before a lease has passed, and accepts it after', () => {
    const rerunAt = (atMs: number) => [...two, at(2, run(1, 1, 'rerun')), at(atMs, run(2, 2, 'rerun'))]
    expect(promises(rerunAt(99))).toEqual(['Never twice by surprise'])
    expect(promises(rerunAt(101))).toEqual([])
  })

  it('refuses a rerun of a living run where nothing failed', () => {
    const history = [...two, at(2, run(1, 1, 'rerun')), at(300, run(2, 2, 'rerun'))]
    expect(promises(history, { ...terms, calm: true })).toEqual(['Never twice by surprise'])
  })

  it('refuses a rerun that nobody asked about', () => {
    const first = [...two, at(2, run(1, 1, 'reconcile')), at(3, crashed)]
    const asked = at(200, { kind: 'asked', request: 2, verdict: 'rerun' })
    const second = at(201, run(2, 2, 'reconcile'))
    expect(promises([...first, second])).toEqual(['Never twice by surprise'])
    expect(promises([...first, asked, second])).toEqual([])
  })

  it('refuses a route that runs what another route may not repeat', () => {
    const history = (recovery: Recovery) => [...two, at(2, run(1, 1, recovery)), at(300, run(2, 2, 'rerun'))]
    expect(promises(history('refuse'))).toEqual(['Never twice by surprise'])
    expect(promises(history('reconcile'))).toEqual(['Never twice by surprise'])
    expect(promises(history('rerun'))).toEqual([])
  })

  it('refuses two requests that ran under one key', () => {
    const other = at(1, { ...request(2), payload: 'other' })
    const history = [at(0, request(1)), other, at(2, run(1, 1, 'rerun')), at(300, run(2, 2, 'rerun'))]
    expect(promises(history)).toEqual(['Never twice by surprise'])
  })

  it('refuses a token that is given twice, or goes back', () => {
    const restart = [at(400, deleted), at(401, request(2))]
    const again = (token: number) => [...paid, ...restart, at(402, run(2, 2, 'refuse', token))]
    expect(promises(again(1))).toEqual(['The fencing token rises'])
    expect(
      promises([...paid.slice(0, 1), at(1, run(1, 1, 'refuse', 7)), ...restart, at(402, run(2, 2))]),
    ).toEqual(['The fencing token rises'])
    expect(promises(again(2))).toEqual([])
  })

  it('refuses an answer of another key, of another request, of no run, or from the future', () => {
    const stranger = [at(50, { ...request(2), key: 'other' }), at(51, replayed(2, 1))]
    expect(promises([...paid, ...stranger])).toEqual(['Yours alone'])
    const differs = [at(50, { ...request(2), payload: 'other' }), at(51, replayed(2, 1))]
    expect(promises([...paid, ...differs])).toContain('Same key, same request')
    expect(promises([at(0, request(1)), at(1, replayed(1, 9))])).toEqual(['The same answer'])
    expect(promises([...two, at(2, run(1, 1)), at(3, replayed(2, 1))])).toEqual(['The same answer'])
    expect(promises([...paid, at(50, request(2)), at(51, { ...replayed(2, 1), replayed: false })])).toEqual([
      'The same answer',
    ])
  })

  it('refuses two outcomes', () => {
    const first = [
      ...two,
      at(2, run(1, 1, 'rerun')),
      at(3, effect(1)),
      at(300, run(2, 2, 'rerun')),
      at(301, effect(2)),
    ]
    const told = [at(302, own(1, 1)), at(303, own(2, 2))]
    expect(promises([...first, ...told])).toEqual(['One outcome'])
    expect(
      promises([
        ...first,
        at(302, { kind: 'answer', request: 1, process: 's', says: 'outcome-unknown' }),
        at(303, own(2, 2)),
      ]),
    ).toEqual([])
  })

  it('refuses an outcome beside the answer of an operator', () => {
    const answered = at(5, { kind: 'settled', key: 'k', how: 'answered' })
    expect(promises([...paid.slice(0, 3), answered, ...paid.slice(3)])).toEqual(['One outcome'])
  })

  it('refuses anything but the answer that was told', () => {
    const later = (says: 'in-progress' | 'outcome-unknown' | 'store-unavailable') => [
      ...paid,
      at(50, request(2)),
      at(51, { kind: 'answer', request: 2, process: 's', says }),
    ]
    expect(promises(later('in-progress'))).toEqual(['Recorded before it is told'])
    expect(promises(later('outcome-unknown'))).toEqual(['Recorded before it is told'])
    expect(promises(later('store-unavailable'))).toEqual([])
  })

  it('refuses "key reused" and "in progress" where nobody else asked', () => {
    const alone = (says: 'key-reused' | 'outcome-unknown') => [
      at(0, request(1)),
      at(1, { kind: 'answer', request: 1, process: 's', says }),
    ]
    expect(promises(alone('key-reused'))).toContain('Same key, same request')
    expect(promises(alone('outcome-unknown'))).toEqual(['One winner'])
  })

  it('refuses "in progress" a lease and a beat after the last sign of life', () => {
    const askedAt = (atMs: number) => [
      at(0, request(1)),
      at(1, run(1, 1)),
      at(2, crashed),
      at(atMs, request(2)),
      at(atMs + 1, { kind: 'answer', request: 2, process: 's', says: 'in-progress' }),
    ]
    expect(promises(askedAt(150))).toEqual([])
    expect(promises(askedAt(250))).toEqual(['Never stuck'])
    // A request that comes later is no sign of life before it came.
    expect(promises([...askedAt(250), at(300, request(3)), at(301, run(3, 3, 'rerun'))])).toContain(
      'Never stuck',
    )
  })

  it('refuses "in progress" for a run that never ends, but while its machine slept', () => {
    const askedAt = (atMs: number) => [
      at(0, request(1)),
      at(1, run(1, 1)),
      at(atMs, request(2)),
      at(atMs + 1, { kind: 'answer', request: 2, process: 's', says: 'in-progress' }),
    ]
    expect(promises(askedAt(1_100))).toEqual([])
    expect(promises(askedAt(1_400))).toEqual(['Never stuck'])
    expect(promises(askedAt(1_400), { ...terms, sleptMs: 300 })).toEqual([])
    expect(promises(askedAt(1_700), { ...terms, sleptMs: 300 })).toEqual(['Never stuck'])
  })

  it('refuses a probe without a definite answer', () => {
    const probe = { ...request(2), client: 'probe' }
    expect(promises([...paid, at(9_000, probe)])).toEqual(['Never stuck'])
    expect(promises([...paid, at(9_000, probe), at(9_001, replayed(2, 1))])).toEqual([])
  })

  it('refuses a waiter that hears too late, where nothing failed', () => {
    const hears = (atMs: number) => [
      ...paid.slice(0, 1),
      at(0, request(2)),
      ...paid.slice(1),
      at(atMs, replayed(2, 1)),
    ]
    expect(promises(hears(35), { ...terms, calm: true })).toEqual(['A waiter hears at once'])
    expect(promises(hears(34), { ...terms, calm: true })).toEqual([])
  })

  it('refuses a slow refusal and a slow answer', () => {
    const slow = { kind: 'answer', request: 1, process: 's', says: 'store-unavailable', tookMs: 23 } as const
    expect(promises([at(0, request(1)), at(23, slow)])).toEqual(['Fail closed'])
    expect(promises([at(0, request(1)), at(22, { ...slow, tookMs: 22 })])).toEqual([])
    const late = (tookMs: number) => [...paid.slice(0, -1), at(30, { ...own(1, 1), tookMs })]
    expect(promises(late(23))).toEqual(['Told in time'])
    expect(promises(late(22))).toEqual([])
  })

  it('refuses an unprotected run where nobody chose that', () => {
    const history = [at(0, request(1)), at(1, run(1, 1, 'refuse', 0))]
    expect(promises(history)).toEqual(['Fail closed'])
    expect(promises(history, { ...terms, bypass: true })).toEqual([])
  })

  it('refuses a second effect of a step, also where a second run is welcome', () => {
    const history = [
      at(0, request(1)),
      at(1, run(1, 1, 'rerun')),
      at(2, { kind: 'effect', run: 1 }),
      at(3, crashed),
      at(500, request(2)),
      at(501, run(2, 2, 'rerun')),
    ]
    const again = at(502, { kind: 'effect', run: 2 } as const)
    expect(promises([...history, again])).toEqual([])
    expect(promises([...history, again], { ...terms, steps: true })).toEqual(['Effects committed once'])
    expect(promises(history, { ...terms, steps: true })).toEqual([])
    const forgot = at(400, { kind: 'forgot' } as const)
    expect(promises([...history, again, forgot], { ...terms, steps: true })).toEqual([])
  })

  it('refuses a second effect where the store forgot and the journal did not', () => {
    const history = [...paid, at(100, { kind: 'forgot' }), at(200, request(2)), at(201, run(2, 2))]
    const again = at(202, effect(2))
    expect(promises([...history, again])).toEqual([])
    expect(promises([...history, again], inSteps)).toEqual(['Effects committed once'])
    expect(promises(history, inSteps)).toEqual([])
    const cleaned = at(150, { kind: 'cleaned', key: 'k' })
    expect(promises([...history, again, cleaned], inSteps)).toEqual([])
  })

  it('refuses a second effect for another request, until the journal’s time is over', () => {
    const laterAt = (atMs: number) => [
      ...paid,
      at(100, { kind: 'forgot' }),
      at(atMs, { ...request(2), payload: 'other' }),
      at(atMs + 1, run(2, 2)),
      at(atMs + 2, effect(2)),
    ]
    expect(promises(laterAt(9_998), inSteps)).toEqual(['Effects committed once'])
    expect(promises(laterAt(9_999), inSteps)).toEqual([])
    // The key is the other request's now, so that the first may begin anew when that is over.
    const third = [at(20_500, request(3)), at(20_501, run(3, 3)), at(20_502, effect(3))]
    const forgot = at(10_500, { kind: 'forgot' } as const)
    expect(promises([...laterAt(9_999), forgot, ...third], inSteps)).toEqual([])
  })

  it('refuses the commit of an owner that was replaced', () => {
    const history = (commitMs: number) => [
      ...two,
      at(1, run(1, 1, 'rerun')),
      at(300, run(2, 2, 'rerun')),
      at(commitMs, effect(1)),
    ]
    expect(promises(history(300), inTransactions)).toEqual([])
    expect(promises(history(301), inTransactions)).toEqual(['A stale owner commits nothing'])
    expect(promises(history(301), inSteps)).toEqual([])
  })

  it('refuses a step that tells what is not so', () => {
    const told = (number: number, paidBy: number) => ({ kind: 'told', run: number, paidBy }) as const
    const hears = (paidBy: number) => promises([...paid, at(10, told(1, paidBy))], inTransactions)
    expect(hears(1)).toEqual([])
    expect(hears(0)).toEqual(['A step tells the truth'])
    expect(hears(7)).toEqual(['A step tells the truth'])
    const another = (payload: string, atMs: number, paidBy: number) => [
      ...paid,
      at(100, { kind: 'forgot' } as const),
      at(atMs, { ...request(2), payload }),
      at(atMs + 1, run(2, 2)),
      at(atMs + 2, told(2, paidBy)),
    ]
    expect(promises(another('order', 200, 1), inTransactions)).toEqual([])
    expect(promises(another('other', 20_000, 1), inTransactions)).toEqual(['A step tells the truth'])
    expect(promises(another('order', 200, 2), inTransactions)).toEqual(['A step tells the truth'])
    const cleaned = at(150, { kind: 'cleaned', key: 'k' } as const)
    expect(promises([...another('order', 200, 1), cleaned], inTransactions)).toEqual([
      'A step tells the truth',
    ])
  })

  it('refuses a run that begins after its process was told to end', () => {
    const closing = at(1, { kind: 'closing', process: 's' })
    expect(promises([at(0, request(1)), closing, at(2, run(1, 1))])).toEqual(['Closes for good'])
    expect(promises([at(0, request(1)), at(1, run(1, 1)), closing])).toEqual([])
  })

  it('refuses a riddle where nothing ever happened', () => {
    const unknown = at(9_001, { kind: 'answer', request: 2, process: 's', says: 'outcome-unknown' })
    const riddle = [at(0, request(1)), at(9_000, { ...request(2), client: 'probe' }), unknown]
    expect(promises(riddle, { ...terms, gentle: true })).toEqual(['No false alarm'])
    expect(
      promises([...riddle.slice(0, 1), at(1, run(1, 1)), ...riddle.slice(1)], { ...terms, gentle: true }),
    ).toEqual([])
    const asked = (verdict: 'refuse' | 'rerun') => at(10, { kind: 'asked', request: 1, verdict } as const)
    expect(promises([...riddle, asked('refuse')], { ...terms, gentle: true })).toEqual([])
    expect(promises([...riddle, asked('rerun')], { ...terms, gentle: true })).toEqual(['No false alarm'])
  })

  it('refuses "in progress" after the end was told, where nothing failed', () => {
    const released = {
      kind: 'answer',
      request: 1,
      process: 's',
      says: 'answered',
      run: 1,
      how: 'nothing',
      replayed: false,
      recorded: false,
    } as const
    const askedAt = (atMs: number) => [
      at(0, request(1)),
      at(1, run(1, 1)),
      at(2, { kind: 'ended', run: 1, how: 'nothing' }),
      at(3, released),
      at(atMs, request(2)),
      at(atMs + 1, { kind: 'answer', request: 2, process: 's', says: 'in-progress' }),
    ]
    expect(promises(askedAt(54), { ...terms, calm: true })).toEqual(['Never stuck'])
    expect(promises(askedAt(53), { ...terms, calm: true })).toEqual([])
  })

  it('refuses a false alarm where nothing failed', () => {
    const unavailable = [
      at(0, request(1)),
      at(1, { kind: 'answer', request: 1, process: 's', says: 'store-unavailable' } as const),
    ]
    expect(promises(unavailable, { ...terms, calm: true })).toEqual(['No false alarm'])
    expect(promises(unavailable)).toEqual([])
    const unknown = [
      ...two,
      at(2, { kind: 'answer', request: 2, process: 's', says: 'outcome-unknown' } as const),
    ]
    expect(promises(unknown, { ...terms, calm: true })).toEqual(['No false alarm'])
  })
})

/** The promises that a history breaks, each once. */
function promises(history: readonly HistoryEntry[], agreed: Terms = terms): string[] {
  return [...new Set(check(history, agreed).map(({ promise }) => promise))]
}

function at(atMs: number, happening: Happening): HistoryEntry {
  return { atMs, ...happening }
}

function request(number: number) {
  return { kind: 'request', request: number, client: 'c', key: 'k', payload: 'order' } as const
}

function run(number: number, ofRequest: number, recovery: Recovery = 'refuse', token = number) {
  return { kind: 'run', run: number, request: ofRequest, process: 's', token, recovery } as const
}

function effect(number: number) {
  return { kind: 'effect', run: number } as const
}

function own(ofRequest: number, number: number): Answer {
  const answered = { kind: 'answer', process: 's', says: 'answered', how: 'good' } as const
  return { ...answered, request: ofRequest, run: number, replayed: false, recorded: true }
}

function replayed(ofRequest: number, number: number) {
  return {
    ...own(ofRequest, number),
    says: 'answered',
    how: 'good',
    run: number,
    replayed: true,
    recorded: true,
  } as const
}

const crashed = { kind: 'crashed', process: 's' } as const
const deleted = { kind: 'settled', key: 'k', how: 'deleted' } as const
const two = [at(0, request(1)), at(0, request(2))]
const paid = [
  at(0, request(1)),
  at(1, run(1, 1)),
  at(2, effect(1)),
  at(8, { kind: 'ended', run: 1, how: 'good' }),
  at(9, own(1, 1)),
]
