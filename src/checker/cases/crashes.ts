import { brief, statusOf, succeeded } from '../answers.ts'
import type { Case } from '../model.ts'
import type { Trial } from '../trial.ts'
import type { Exchange, Request } from '../wire/message.ts'
import { runHook, untilUp } from '../hooks.ts'
import { begin, mustReplay, pause } from './judging.ts'

/** Servers that die. */
export const crashCases: readonly Case[] = [
  {
    id: 'FLT-05',
    level: 'SHOULD',
    safety: true,
    needs: ['restart'],
    alone: true,
    title: 'A restart',
    why: 'Deployments restart servers while clients retry. Records in memory are gone just then.',
    source: 'draft-07 2.6, 2.3',
    seconds: 3,
    run: async (trial) => {
      const { request, first } = await begin(trial)
      await runHook(trial.target, 'restart')
      await untilUp(trial)
      const again = await trial.send(request)
      const before = trial.findings.length
      await mustReplay(trial, first, again, 'the repeat after a restart')
      if (trial.findings.length > before) trial.note('records kept in memory only do not outlive the process')
    },
  },
  {
    id: 'FLT-06',
    level: 'BEYOND',
    safety: true,
    needs: ['kill', 'slow'],
    alone: true,
    title: 'Killed before the effect',
    why: 'A key that a dead process holds for ever is an order that can never be placed.',
    source: 'safety',
    seconds: 5,
    run: async (trial) => {
      const request = trial.slow()
      const lost = trial.abandon(request, 15_000)
      await pause(Math.min(300, trial.target.slowMs / 3))
      await runHook(trial.target, 'kill')
      const { exchange } = await lost
      await runHook(trial.target, 'start')
      await untilUp(trial)
      const last = await untilStable(trial, request)
      const effects = await trial.effects(200)
      if (effects > 1) trial.fault(`${effects} effects`, 'at most one', [exchange, last])
      trial.card(
        'after a crash',
        succeeded(last) ? 'runs again (the effect had not happened)' : `a stable ${statusOf(last)}`,
      )
    },
  },
  {
    id: 'FLT-07',
    level: 'BEYOND',
    safety: true,
    needs: ['kill', 'fixture', 'probe'],
    alone: true,
    title: 'Killed after the effect, before the record',
    why: 'The worst moment: the charge is made and nobody wrote it down. Running again is a second charge.',
    source: 'OASIS Repeatable Requests, "transactionally consistent"',
    seconds: 5,
    run: async (trial) => {
      const request = trial.request({ query: { afterMs: '3000' } })
      const lost = trial.abandon(request, 15_000)
      if ((await trial.effectsReaching(1, 2000)) !== 1)
        trial.inconclusive('the effect was not seen before the kill')
      await runHook(trial.target, 'kill')
      const { exchange } = await lost
      await runHook(trial.target, 'start')
      await untilUp(trial)
      const last = await untilStable(trial, request)
      await trial.expectEffects(1, `after the crash, the repeat (${brief(last)})`, [exchange, last], 300)
    },
  },
  {
    id: 'FLT-08',
    level: 'BEYOND',
    safety: false,
    needs: ['terminate', 'slow'],
    alone: true,
    title: 'Asked to stop while an operation runs',
    why: 'A clean stop need not lose anything: it can finish what it began.',
    source: 'safety',
    seconds: 4,
    run: async (trial) => {
      const request = trial.slow()
      const running = trial.send(request)
      await pause(Math.min(300, trial.target.slowMs / 3))
      await runHook(trial.target, 'terminate')
      const first = await running
      await runHook(trial.target, 'start')
      await untilUp(trial)
      const last = await untilStable(trial, request)
      const effects = await trial.effects(200)
      if (effects > 1) trial.fault(`${effects} effects`, 'at most one', [first, last])
      if (succeeded(first) && !trial.sameOutcome(first, last)) {
        trial.warn(`it finished (${brief(first)}), and yet the repeat: ${brief(last)}`, 'the same answer', [
          first,
          last,
        ])
      }
      trial.card('on SIGTERM', succeeded(first) ? 'finishes what it began' : 'breaks off')
    },
  },
]

/** Repeats until three answers in a row agree, or the key is plainly stuck. */
async function untilStable(trial: Trial, request: Request): Promise<Exchange> {
  const leaseMs = 30_000 + 10_000
  const until = Date.now() + leaseMs
  let last = await trial.send(request)
  let alike = 1
  let stuck = isWaiting(last)
  while (Date.now() < until && alike < 3) {
    await pause(stuck ? 1000 : 200)
    const next = await trial.send(request)
    alike = brief(next) === brief(last) && !isWaiting(next) ? alike + 1 : 1
    stuck = isWaiting(next)
    last = next
  }
  if (isWaiting(last)) {
    trial.fault(
      `still told to wait ${leaseMs / 1000} s after the crash: ${brief(last)}`,
      'an outcome, or an explicit error',
      [last],
    )
  }
  return last
}

/** "Still running", as opposed to an explicit "nobody knows". */
function isWaiting(exchange: Exchange): boolean {
  if (statusOf(exchange) !== 409 && statusOf(exchange) !== 425) return false
  const asks =
    exchange.result.kind === 'answer' &&
    exchange.result.answer.headers.some(([name]) => name.toLowerCase() === 'retry-after')
  return asks || !/unknown|lost|interrupted|undetermined|ambiguous|unfinished/i.test(brief(exchange))
}
