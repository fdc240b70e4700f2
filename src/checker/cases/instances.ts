import { brief, statusOf, succeeded, tally } from '../answers.ts'
import { runHook } from '../hooks.ts'
import type { Case } from '../model.ts'
import { mustReplay, pause, settled } from './judging.ts'

/** Two instances over one store, and the store itself. */
export const instanceCases: readonly Case[] = [
  {
    id: 'FLT-09',
    level: 'SHOULD',
    safety: true,
    needs: ['second-url'],
    title: 'First at one instance, repeat at the other',
    why: 'A load balancer sends the retry wherever it likes.',
    source: 'draft-07 2.6',
    run: async (trial) => {
      const request = trial.request()
      const first = await trial.send(request)
      trial.need(first, 'a plain keyed request')
      const origin = trial.target.secondOrigin ?? request.origin
      const atOnce = await settled(trial, { ...request, origin }, 1000)
      await mustReplay(trial, first, atOnce, 'at the other instance, at once')
      await pause(50)
      await mustReplay(
        trial,
        first,
        await trial.send({ ...request, origin }),
        'at the other instance, 50 ms later',
      )
    },
  },
  {
    id: 'FLT-10',
    level: 'SHOULD',
    safety: true,
    needs: ['second-url'],
    title: 'A race over two instances',
    why: 'A lock inside one process protects from nothing that another process does.',
    source: 'draft-07 2.6',
    seconds: 2,
    run: async (trial) => {
      const here = trial.slow()
      const there = { ...here, origin: trial.target.secondOrigin ?? here.origin }
      const { exchanges } = await trial.provenRace(() =>
        Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? here : there)),
      )
      trial.showRace(exchanges.slice(0, 40))
      if (!exchanges.some((exchange) => succeeded(exchange)))
        trial.fault(`no success: ${tally(exchanges)}`, 'one', exchanges.slice(0, 2))
      await trial.expectEffects(
        1,
        `25 and 25 duplicates over two instances: ${tally(exchanges)}`,
        exchanges.slice(0, 4),
      )
    },
  },
  {
    id: 'FLT-11',
    level: 'BEYOND',
    safety: true,
    needs: ['store-outage'],
    alone: true,
    title: 'The store is down',
    why: 'Running without the record is running unprotected; hanging is worse.',
    source: 'safety',
    seconds: 6,
    run: async (trial) => {
      const request = trial.request()
      await runHook(trial.target, 'storeDown')
      const down = await trial.send(request)
      await runHook(trial.target, 'storeUp')
      const ran = await trial.effects(200)
      if (succeeded(down)) {
        trial.card('store down', 'runs unprotected (fails open)')
        trial.warn(`with the store down it ran: ${brief(down)}`, '503 and no effect, unless declared', [down])
      } else {
        trial.card('store down', `${statusOf(down) || 'no answer'} (fails closed)`)
        if (ran > 0) trial.fault(`refused (${brief(down)}), and yet an effect`, 'no effect', [down])
        if (statusOf(down) !== 503) trial.warn(`with the store down: ${brief(down)}`, '503', [down])
        if (statusOf(down) === 0) trial.fault(`with the store down: ${brief(down)}`, 'an answer', [down])
      }
      const after = await settled(trial, request, 10_000)
      if (!succeeded(after))
        trial.fault(`with the store up again: ${brief(after)}`, 'a success', [down, after])
      if (trial.target.slow === undefined) return
      const part = await trial.part()
      const slow = part.slow()
      const running = part.send(slow)
      await pause(Math.min(300, trial.target.slowMs / 3))
      await runHook(trial.target, 'storeDown')
      const first = await running
      await pause(500)
      await runHook(trial.target, 'storeUp')
      await pause(500)
      const again = await settled(part, slow, 10_000)
      await part.expectEffects(
        1,
        `down between effect and completion; first ${brief(first)}, repeat ${brief(again)}`,
        [first, again],
        300,
      )
    },
  },
]
