import { brief, refused, statusOf, succeeded } from '../answers.ts'
import type { Case } from '../model.ts'
import { descriptionFaults, machineName } from '../problems.ts'
import { withHeaders, withQuery } from '../requests.ts'
import type { Trial } from '../trial.ts'
import { begin, mustBeRefused, mustReplay, pause, scopeOf } from './judging.ts'
import { payloadCases } from './payload.ts'
import type { Exchange } from '../wire/message.ts'

const wrongAnswer =
  'The client would take the first request’s answer for the second’s: a payment it never made looks made.'

export const mismatchCases: readonly Case[] = [
  {
    id: 'MM-01',
    level: 'MUST',
    safety: true,
    needs: [],
    title: 'The same key with another body is refused',
    why: wrongAnswer,
    source: 'draft-07 2.7 (the one server MUST), 2.2',
    run: async (trial) => {
      const { request, first } = await begin(trial)
      const other = await trial.send(await trial.changed(request))
      await mustBeRefused(trial, first, other, 'one value changed')
    },
  },
  {
    id: 'MM-02',
    level: 'SHOULD',
    safety: false,
    needs: [],
    title: 'The refusal is 422',
    why: 'Clients treat statuses by number: 409 says "wait", 400 says "malformed", 422 says "not with this key".',
    source: 'draft-07 2.7; WG issue 42',
    run: async (trial) => {
      const other = await refusal(trial)
      trial.card('key reused with another body', String(statusOf(other)))
      if (statusOf(other) !== 422) trial.fault(brief(other), '422', [other])
    },
  },
  {
    id: 'MM-03',
    level: 'SHOULD',
    safety: false,
    needs: [],
    title: 'The refusal is explained',
    why: 'A client can only mend what it can read about.',
    source: 'draft-07 2.7; WG issue 51',
    run: async (trial) => {
      const other = await refusal(trial)
      for (const fault of descriptionFaults(other)) {
        trial.fault(fault, 'application/problem+json with type and title, or a describedby link', [other])
      }
      if (trial.target.key.kind === 'member') return
      const missing = await trial.send(trial.request({ keyLines: [] }))
      if (refused(missing) && machineName(missing) === machineName(other)) {
        trial.note('not told apart from a missing key by type or code')
      }
    },
  },
  {
    id: 'MM-04',
    level: 'BEYOND',
    safety: true,
    needs: [],
    title: 'A refusal does not poison the record',
    why: 'One wrong request must not cost the right one its answer, or run it again.',
    source: 'draft-07 2.6',
    run: async (trial) => {
      const { request, first } = await begin(trial)
      const other = await trial.send(await trial.changed(request))
      if (succeeded(other)) trial.inconclusive(`another body was not refused (MM-01): ${brief(other)}`)
      const again = await trial.send(request)
      await mustReplay(trial, first, again, 'the original after a wrong one')
    },
  },
  ...payloadCases,
  {
    id: 'MM-06',
    level: 'MAY',
    safety: true,
    needs: [],
    title: 'The same key on another path, query or method',
    why: wrongAnswer,
    source: 'draft-07 2.2; WG issues 22, 34',
    run: async (trial) => {
      const { request, first } = await begin(trial)
      const path = request.target.split('?')[0] ?? request.target
      const variants: [string, typeof request][] = [
        [
          'path',
          { ...request, target: request.target.replace(path, `${path.replace(/\/$/, '')}/hapax-check`) },
        ],
        ['query', withQuery(request, { hapaxCheck: '1' })],
        ['method', { ...request, method: request.method === 'PATCH' ? 'POST' : 'PATCH' }],
      ]
      for (const [what, variant] of variants) {
        const other = await trial.send(variant)
        trial.card(`same key, other ${what}`, scopeOf(trial, first, other))
        if (what !== 'query' && trial.sameOutcome(first, other)) {
          trial.fault(`another ${what} got the first answer: ${brief(other)}`, 'a scope of its own, or 422', [
            first,
            other,
          ])
        } else if (trial.sameOutcome(first, other)) {
          trial.fault('another query got the first answer', 'a scope of its own, or 422', [first, other])
        }
      }
      trial.report('reported on the behaviour card')
    },
  },
  {
    id: 'MM-10',
    level: 'SHOULD',
    safety: true,
    needs: [],
    title: 'Other headers are not the payload',
    why: 'A retry comes from another connection, with another trace: refusing it leaves the client without its answer.',
    source: 'draft-07 2.2',
    run: async (trial) => {
      const { request, first } = await begin(trial)
      const again = await trial.send(
        withHeaders(request, [
          ['User-Agent', 'hapax-check/another'],
          ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
          ['Accept-Language', 'el'],
          ['Date', new Date().toUTCString()],
          ['Connection', 'close'],
        ]),
      )
      await mustReplay(trial, first, again, 'a retry with other headers')
    },
  },
  {
    id: 'MM-12',
    level: 'SHOULD',
    safety: true,
    needs: ['slow'],
    title: 'Another body while the first is running',
    why: 'Neither may disturb the other: the second is refused at once, the first finishes.',
    source: 'draft-07 2.7',
    seconds: 2,
    run: async (trial) => {
      // Twice, where it waited: a busy network may be what held it up.
      if (await refusedAtOnce(await trial.part())) return
      if (trial.findings.length > 0 || (await refusedAtOnce(await trial.part()))) return
      trial.warn(
        'the refusal waited for the first to finish, twice',
        'a refusal at once',
        trial.raceShown ?? [],
      )
    },
  },
]

async function refusal(trial: Trial): Promise<Exchange> {
  const { request } = await begin(trial)
  const other = await trial.send(await trial.changed(request))
  if (!refused(other)) trial.inconclusive(`another body was not refused (MM-01): ${brief(other)}`)
  return other
}

/** Sends another body while the first is running; says whether its refusal came before the first had finished. */
async function refusedAtOnce(part: Trial): Promise<boolean> {
  const request = part.slow()
  const changed = await part.changed(request)
  const running = part.send(request)
  await pause(Math.min(300, part.target.slowMs / 3))
  const other = await part.send(changed)
  const first = await running
  part.showRace([first, other])
  part.need(first, 'the slow request')
  if (!refused(other)) part.fault(`another body: ${brief(other)}`, '409 or 422', [first, other])
  await part.expectEffects(1, 'one request and a wrong one', [first, other])
  part.expectReplay(first, await part.send(request), 'the first, afterwards')
  return other.endedAt <= first.endedAt
}
