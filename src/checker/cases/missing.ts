import { brief, headerOf, refused, statusOf, succeeded } from '../answers.ts'
import { replayMarkers } from '../compare.ts'
import type { Case } from '../model.ts'
import { descriptionFaults } from '../problems.ts'
import { withKeyLines } from '../requests.ts'

export const missingCases: readonly Case[] = [
  {
    id: 'MIS-01',
    level: 'SHOULD',
    safety: true,
    needs: ['key-required', 'key-in-header'],
    title: 'A required key that is missing',
    why: 'An operation that requires a key and runs without one is unprotected where it said it is protected.',
    source: 'draft-07 2.7',
    run: async (trial) => {
      const exchange = await trial.send(trial.request({ keyLines: [] }))
      if (succeeded(exchange)) {
        trial.fault(`without a key: ${brief(exchange)}`, 'a 400 and no effect', [exchange])
        return
      }
      await trial.expectEffects(0, 'without a key', [exchange], 200)
      if (statusOf(exchange) !== 400) trial.warn(`without a key: ${brief(exchange)}`, 'a 400', [exchange])
    },
  },
  {
    id: 'MIS-02',
    level: 'SHOULD',
    safety: false,
    needs: ['key-required', 'key-in-header'],
    title: 'The missing key is explained',
    why: 'A client can only mend what it can read about.',
    source: 'draft-07 2.7; RFC 9457 3.1',
    run: async (trial) => {
      const exchange = await trial.send(trial.request({ keyLines: [] }))
      if (!refused(exchange)) trial.inconclusive(`without a key: ${brief(exchange)}`)
      for (const fault of descriptionFaults(exchange)) {
        trial.fault(fault, 'application/problem+json with type and title, or a describedby link', [exchange])
      }
    },
  },
  {
    id: 'MIS-03',
    level: 'SHOULD',
    safety: false,
    needs: ['key-optional', 'key-in-header'],
    title: 'Without a key, every request is processed',
    why: 'Two orders that look alike are two orders: without a key nobody said they are one.',
    source: 'draft-07 2.5.1, 2.6',
    run: async (trial) => {
      const keyed = trial.request()
      const stored = await trial.send(keyed)
      trial.need(stored, 'a plain keyed request')
      const bare = withKeyLines(trial.target, keyed, [])
      const first = await trial.send(bare)
      const second = await trial.send(bare)
      if (!succeeded(first) || !succeeded(second)) {
        trial.fault(`without a key: ${brief(first)} and ${brief(second)}`, 'normal processing', [
          first,
          second,
        ])
        return
      }
      await trial.expectEffects(3, 'one keyed and two unkeyed requests', [stored, first, second])
      const marked = replayMarkers.find((name) => name !== 'x-cache' && headerOf(second, name) === 'true')
      if (marked !== undefined) trial.fault(`${marked} on an unkeyed answer`, 'no replay marker', [second])
    },
  },
]
