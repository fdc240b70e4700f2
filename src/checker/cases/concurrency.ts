import { brief, headerOf, refused, statusOf, succeeded, tally } from '../answers.ts'
import type { Case } from '../model.ts'
import { descriptionFaults, machineName } from '../problems.ts'
import type { Trial } from '../trial.ts'
import type { Exchange, Request } from '../wire/message.ts'
import { crowdCases } from './crowd.ts'
import { pause, settled } from './judging.ts'

const twice = 'Two taps, two retries, two workers: whoever checks and then acts runs both.'

export const concurrencyCases: readonly Case[] = [
  {
    id: 'CON-01',
    level: 'SHOULD',
    safety: true,
    needs: [],
    title: 'Two identical requests at the same moment',
    why: twice,
    source: 'draft-07 2.6',
    seconds: 7,
    run: async (trial) => {
      let bad = 0
      const total = trial.lab.rounds
      await trial.rounds(total, 5, async (part) => {
        const request = part.slow()
        const { exchanges } = await part.provenRace(() => [request, request])
        const effects = await part.effectsReaching(1)
        if (effects === 1) {
          if (!exchanges.some((exchange) => succeeded(exchange))) {
            trial.fault(`neither got an answer: ${tally(exchanges)}`, 'one success', exchanges)
          }
          return
        }
        bad += 1
        part.showRace(exchanges)
        if (effects === 0) trial.fault(`no effect: ${tally(exchanges)}`, 'one effect', exchanges)
        else
          trial.fault(
            `${effects} effects from two identical requests: ${tally(exchanges)}`,
            'one effect',
            exchanges,
          )
      })
      if (bad > 0) trial.note(`in ${bad} of ${total} rounds`)
      else trial.note(`${total} rounds`)
      if (trial.raceShown === undefined) trial.showRace(trial.exchanges.slice(0, 2))
    },
  },
  {
    id: 'CON-02',
    level: 'SHOULD',
    safety: false,
    needs: [],
    title: 'What the duplicate in flight is told',
    why: 'A client must know whether to wait or to give up.',
    source: 'draft-07 2.6, 2.7; WG issue 11',
    seconds: 2,
    run: async (trial) => {
      const { winner, loser, exchanges } = await race(trial)
      if (statusOf(loser) === 409) trial.card('duplicate in flight', '409')
      else if (trial.sameOutcome(winner, loser))
        trial.card('duplicate in flight', 'waits for the first answer')
      else {
        trial.card('duplicate in flight', String(statusOf(loser)))
        trial.fault(
          `the duplicate was told: ${brief(loser)}`,
          '409, or the first answer after a wait',
          exchanges,
        )
      }
    },
  },
  {
    id: 'CON-03',
    level: 'SHOULD',
    safety: false,
    needs: [],
    title: 'The conflict is explained',
    why: 'A 409 that cannot be told from a reused key makes clients give up on a request that is about to succeed.',
    source: 'draft-07 2.7',
    seconds: 2,
    run: async (trial) => {
      const { loser } = await race(trial)
      if (statusOf(loser) !== 409)
        trial.notApplicable(`the duplicate is not told 409 here but ${statusOf(loser)}`)
      for (const fault of descriptionFaults(loser)) {
        trial.fault(fault, 'application/problem+json with type and title, or a describedby link', [loser])
      }
      const request = trial.request()
      trial.need(await trial.send(request), 'a plain keyed request')
      const reused = await trial.send(await trial.changed(request))
      if (refused(reused) && machineName(reused) === machineName(loser)) {
        trial.fault('not told apart from a reused key by type or code', 'a type or code of its own', [
          loser,
          reused,
        ])
      }
    },
  },
  {
    id: 'CON-04',
    level: 'BEYOND',
    safety: false,
    needs: ['slow'],
    title: 'Retry-After leads to the result',
    why: 'A client that knows when to come back neither hammers nor gives up.',
    source: 'RFC 9110 10.2.3; RFC 9457 4',
    seconds: 4,
    run: retryAfter,
  },
  {
    id: 'CON-05',
    level: 'SHOULD',
    safety: true,
    needs: [],
    title: 'The conflict is not what is remembered',
    why: 'If the 409 is stored under the key, the client is told "conflict" for ever and never learns that it paid.',
    source: 'draft-07 2.6',
    seconds: 2,
    run: async (trial) => {
      const { winner, loser, exchanges } = await race(trial)
      if (succeeded(loser) && !trial.sameOutcome(winner, loser))
        trial.inconclusive('both of them ran (CON-01)')
      const again = await settled(trial, loser.request, 2000)
      const more = await trial.send(loser.request)
      if (!trial.sameOutcome(winner, again)) {
        trial.fault(`the loser’s repeat: ${brief(again)}`, `the winner’s answer (${brief(winner)})`, [
          winner,
          loser,
          again,
        ])
      } else trial.expectReplay(winner, more, 'one more repeat')
      await trial.expectEffects(1, 'the race and its repeats', exchanges)
    },
  },
  ...crowdCases,
]

type Outcome = {
  readonly winner: Exchange
  readonly loser: Exchange
  readonly exchanges: readonly Exchange[]
}

/** One race of two; the winner is the one that succeeded, and first if both did. */
async function race(trial: Trial): Promise<Outcome> {
  const request = trial.slow()
  const { exchanges } = await trial.provenRace(() => [request, request])
  trial.showRace(exchanges)
  const ordered = exchanges.toSorted((a, b) => a.endedAt - b.endedAt)
  const winner = ordered.find((exchange) => succeeded(exchange)) ?? ordered[0]
  const loser = ordered.find((exchange) => exchange !== winner)
  if (winner === undefined || loser === undefined) throw new Error('a race of two has two exchanges')
  if (!succeeded(winner)) trial.inconclusive(`neither succeeded: ${tally(exchanges)}`)
  return { winner, loser, exchanges }
}

async function retryAfter(trial: Trial): Promise<void> {
  const { request, running, told } = await toldWhileRunning(trial)
  const seen: Exchange[] = [told]
  const value = headerOf(told, 'retry-after')
  trial.card('Retry-After on 409', value ?? 'none')
  if (value === undefined || !/^[1-9]\d*$/.test(value)) {
    await running
    trial.warn(`Retry-After is ${value ?? 'missing'}`, 'seconds, at least 1', [told])
    return
  }
  for (let poll = 1; poll <= 5; poll += 1) {
    await pause(Math.min(10, Number(value)) * 1000)
    const exchange = await trial.send(request)
    seen.push(exchange)
    if (statusOf(exchange) !== 409) break
  }
  const first = await running
  const last = seen.at(-1) ?? told
  trial.showRace([first, ...seen])
  if (!trial.sameOutcome(first, last))
    trial.warn(`after ${seen.length - 1} polls: ${brief(last)}`, brief(first), [first, ...seen])
}

type Told = { readonly request: Request; readonly running: Promise<Exchange>; readonly told: Exchange }

/** A duplicate that was told 409 while the first ran. A busy machine may send it too late: that says nothing. */
async function toldWhileRunning(trial: Trial): Promise<Told> {
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const part = await trial.part()
    const request = part.slow()
    const running = part.send(request)
    await pause(Math.min(300, trial.target.slowMs / 3))
    const told = await part.send(request)
    if (statusOf(told) === 409) return { request, running, told }
    const first = await running
    if (told.sentAt < first.endedAt)
      trial.notApplicable(`the duplicate is not told 409 here but ${statusOf(told)}`)
  }
  return trial.inconclusive('the operation was over before the duplicate was sent, in three tries')
}
