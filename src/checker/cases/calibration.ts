import { performance } from 'node:perf_hooks'
import { brief, succeeded, tally } from '../answers.ts'
import { readProbeCount } from '../effects.ts'
import type { Case } from '../model.ts'
import type { Trial } from '../trial.ts'
import type { Race } from '../wire/transport.ts'
import { withKeyLines, keyValue } from '../requests.ts'
import { randomUUID } from 'node:crypto'
import { pause } from './judging.ts'

/** Whether anything can be told at all: a failure here makes the rows that depend on it inconclusive. */
export const calibrationCases: readonly Case[] = [
  {
    id: 'CAL-01',
    level: 'METHOD',
    safety: false,
    needs: [],
    title: 'Two keys, two executions',
    why: 'If the endpoint deduplicates by content, a second execution cannot be told from a replay.',
    source: 'method',
    run: async (trial) => {
      const request = trial.request()
      const first = await trial.send(request)
      const second =
        trial.target.key.kind === 'header'
          ? withKeyLines(trial.target, request, [keyValue(trial.facts, randomUUID())])
          : trial.request()
      const other = await trial.send(second)
      if (!succeeded(first) || !succeeded(other)) {
        trial.fault(`answers: ${tally([first, other])}`, 'two successes', [first, other])
        return
      }
      await trial.expectEffects(2, 'the same body under two keys', [first, other])
    },
  },
  {
    id: 'CAL-02',
    level: 'METHOD',
    safety: false,
    needs: ['probe'],
    title: 'The probe counts, and only counts effects',
    why: 'A counter that drifts by itself cannot say what a request did.',
    source: 'method',
    seconds: 2,
    run: async (trial) => {
      const request = trial.request()
      const read = (): Promise<number> => readProbeCount(trial.target, trial.lab.transport, request.marker)
      const before = await read()
      await pause(1000)
      const between = await read()
      await pause(1000)
      const still = await read()
      if (before !== between || between !== still) {
        trial.fault(`the probe read ${before}, ${between}, ${still} with no traffic`, 'a stable count', [])
      }
      const sent = await trial.send(request)
      trial.need(sent, 'a plain keyed request')
      await trial.expectEffects(1, 'one request', [sent])
    },
  },
  {
    id: 'CAL-03',
    level: 'METHOD',
    safety: false,
    needs: ['slow'],
    title: 'Two slow operations run side by side',
    why: 'A server that handles one request at a time never has two in flight, so a race proves nothing there.',
    source: 'method; WG issue 11',
    seconds: 2,
    run: async (trial) => {
      const begun = performance.now()
      const single = await trial.send(trial.slow())
      const singleMs = performance.now() - begun
      trial.need(single, 'the slow operation')
      if (singleMs < 0.5 * trial.target.slowMs) {
        trial.fault(
          `the slow operation took ${Math.round(singleMs)} ms, though asked for ${trial.target.slowMs} ms`,
          'an operation that the slow knob slows',
          [single],
        )
        return
      }
      trial.facts.slowMs = singleMs
      const { race, serial } = await twoAtOnce(trial, singleMs)
      trial.facts.serial = serial
      if (race.exchanges.some((exchange) => !succeeded(exchange))) {
        trial.fault(
          `two at once: ${race.exchanges.map(brief).join(' and ')}`,
          'two successes',
          race.exchanges,
        )
      } else if (trial.facts.serial) {
        trial.report('the server handles one request at a time: 409 cannot be seen')
      }
    },
  },
]

/** One at a time is one at a time in every try; a busy machine may look like it once. */
async function twoAtOnce(trial: Trial, singleMs: number): Promise<{ race: Race; serial: boolean }> {
  let race = await trial.race([trial.slow(), trial.slow()])
  for (let more = 2; more > 0 && isSerial(race, singleMs); more -= 1) {
    race = await trial.race([trial.slow(), trial.slow()])
  }
  return { race, serial: isSerial(race, singleMs) }
}

function isSerial({ exchanges }: Race, singleMs: number): boolean {
  const bothMs = Math.max(...exchanges.map((exchange) => exchange.endedAt - exchange.sentAt))
  return bothMs >= 1.7 * singleMs
}
