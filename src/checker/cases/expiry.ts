import { answerOf, brief, statusOf, succeeded } from '../answers.ts'
import type { Case } from '../model.ts'
import { originOf, readUrl } from '../target.ts'
import type { Trial } from '../trial.ts'
import type { Exchange } from '../wire/message.ts'
import { begin, mustReplay, pause } from './judging.ts'

export const expiryCases: readonly Case[] = [
  {
    id: 'EXP-01',
    level: 'SHOULD',
    safety: false,
    needs: [],
    title: 'Repeats while the record should last',
    why: 'A client retries for as long as the published retention allows.',
    source: 'draft-07 2.3, 2.6',
    seconds: 2,
    run: async (trial) => {
      const { request, first } = await begin(trial)
      const retentionMs = trial.target.options.retentionMs
      const waits = [Math.min(1000, (retentionMs ?? 10_000) / 2)]
      if (trial.lab.long)
        waits.push(retentionMs === undefined ? 60_000 : Math.min(60_000, retentionMs * 0.95) - 1000)
      for (const waitMs of waits) {
        await pause(waitMs)
        await mustReplay(trial, first, await trial.send(request), `${waitMs / 1000} s later`)
      }
    },
  },
  {
    id: 'EXP-02',
    level: 'MAY',
    safety: true,
    needs: ['short-retention'],
    title: 'After the retention',
    why: 'What is forgotten must be forgotten whole: no conflict for ever, no refusal against a record that is gone.',
    source: 'draft-07 2.3; WG issue 49',
    seconds: 6,
    run: async (trial) => {
      const retainMs = retention(trial)
      const wanted = trial.target.retentionKnob === undefined ? {} : { retainMs }
      const { request, first } = await begin(trial, wanted)
      await pause(retainMs * 1.2 + 100)
      const same = await trial.send(request)
      const { request: other } = await begin(trial, wanted)
      await pause(retainMs * 1.2 + 100)
      const changed = await trial.send(await trial.changed(other))
      trial.card(
        'after the retention',
        succeeded(same)
          ? trial.sameOutcome(first, same)
            ? 'still replays'
            : 'runs anew'
          : `refuses: ${statusOf(same)}`,
      )
      trial.report(trial.sameOutcome(first, same) ? 'still replayed' : brief(same))
      for (const [what, exchange] of [
        ['the same body', same],
        ['another body', changed],
      ] as const) {
        if (statusOf(exchange) === 409 || statusOf(exchange) === 425) {
          trial.fault(`${what}: ${brief(exchange)}`, 'anew, or an explicit refusal', [first, exchange])
        }
        if (
          succeeded(exchange) &&
          (answerOf(exchange)?.body.length ?? 0) === 0 &&
          (answerOf(first)?.body.length ?? 0) > 0
        ) {
          trial.fault(`${what}: a success without its body`, 'a whole answer', [first, exchange])
        }
      }
      if (statusOf(changed) === 422)
        trial.fault(`another body: ${brief(changed)}`, 'no comparison with a record that is gone', [changed])
    },
  },
  {
    id: 'EXP-03',
    level: 'MUST',
    safety: false,
    needs: ['docs'],
    title: 'The documentation says what it must',
    why: 'Clients must know the format of keys, their scope, what is compared, and how long they last.',
    source: 'draft-07 2.5.2, 2.3',
    run: async (trial) => {
      const url = readUrl(trial.target.options.docs ?? '', 'The documentation')
      const page = await trial.send({
        ...trial.request({ method: 'GET', keyLines: [] }),
        origin: originOf(url),
        target: url.pathname + url.search,
        headers: [['Accept', '*/*']],
        body: undefined,
      })
      if (!succeeded(page)) {
        trial.fault(`${url.href}: ${brief(page)}`, 'the documentation', [page])
        return
      }
      const text = answerOf(page)?.body.toString('utf8').toLowerCase() ?? ''
      const topics: [string, RegExp][] = [
        ['the key’s format', /uuid|format|characters|string/],
        ['scope', /scope|account|per (user|tenant|caller|client)|principal/],
        ['what is compared', /compare|fingerprint|same (body|payload|request|parameters)|payload/],
        ['expiry', /expir|retention|retain|\d+ (hours?|days?|minutes?)/],
      ]
      const missing = topics.filter(([, words]) => !words.test(text)).map(([topic]) => topic)
      if (missing.length > 0)
        trial.warn(`by its words it does not speak of ${missing.join(', ')}`, 'all four', [page])
      trial.report('judged by keywords only: read it')
    },
  },
  {
    id: 'EXP-04',
    level: 'BEYOND',
    safety: false,
    needs: ['short-retention'],
    title: 'Fixed or sliding retention',
    why: 'A retention that slides never ends for a client that keeps asking.',
    source: 'WG issues 35, 49',
    seconds: 5,
    run: async (trial) => {
      const retainMs = retention(trial)
      const { request, first } = await begin(
        trial,
        trial.target.retentionKnob === undefined ? {} : { retainMs },
      )
      const seen: Exchange[] = []
      for (let turn = 1; turn <= 4; turn += 1) {
        await pause(retainMs / 3 + 20)
        seen.push(await trial.send(request))
      }
      // A busy machine may send them later than meant: only those that were answered in time count.
      const early = seen.filter((exchange) => exchange.endedAt - first.sentAt < retainMs * 0.9)
      const lost = early.filter((exchange) => !trial.sameOutcome(first, exchange))
      if (lost.length > 0) {
        trial.warn(`within the retention: ${lost.map(brief).join(', ')}`, 'the first answer', [
          first,
          ...lost,
        ])
      }
      const last = seen[3]
      const kept = last !== undefined && trial.sameOutcome(first, last)
      trial.card('retention', `${kept ? 'sliding' : 'fixed from first use'} (${retainMs} ms asked for)`)
      trial.report(kept ? 'sliding' : 'fixed')
    },
  },
  {
    id: 'EXP-05',
    level: 'BEYOND',
    safety: true,
    needs: ['short-retention', 'slow'],
    title: 'An operation that outlives the retention',
    why: 'A running record that expires lets the retry run beside it.',
    source: 'safety',
    seconds: 5,
    run: async (trial) => {
      // Wide margins: a duplicate that arrives late, after the record has rightly expired, would look the same.
      const knob = trial.target.retentionKnob !== undefined
      const retainMs = knob ? 1000 : retention(trial)
      const runMs = retainMs * 2 + 500
      const request = trial.request({ slowMs: runMs, ...(knob ? { retainMs } : {}) })
      const running = trial.send(request)
      await pause(retainMs * 1.25)
      const duplicate = await trial.send(request)
      const first = await running
      trial.showRace([first, duplicate])
      trial.need(first, 'the slow request')
      // It ran for runMs, so it began at the latest that long before its answer. If that is after the first
      // one's end, the record may have expired rightly in between, and a slow network made it look otherwise.
      const ranLate = succeeded(duplicate) && duplicate.endedAt - runMs > first.endedAt
      if (ranLate || duplicate.sentAt > first.endedAt) trial.inconclusive('the duplicate came too late')
      if (statusOf(duplicate) !== 409 && !trial.sameOutcome(first, duplicate)) {
        trial.fault(`the duplicate: ${brief(duplicate)}`, '409, or the first answer', [first, duplicate])
      }
      await trial.expectEffects(1, 'a slow request and its duplicate', [first, duplicate])
    },
  },
]

function retention(trial: Trial): number {
  return trial.target.options.retentionMs ?? 1500
}
