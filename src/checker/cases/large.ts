import { answerOf, brief, statusOf, succeeded } from '../answers.ts'
import { isObject, parseJson } from '../json.ts'
import type { Case } from '../model.ts'
import { withBody } from '../requests.ts'
import type { Trial } from '../trial.ts'
import { encode, type Request } from '../wire/message.ts'
import { begin, mustReplay } from './judging.ts'

const megabyte = 1024 * 1024

export const largeCases: readonly Case[] = [
  {
    id: 'LRG-01',
    level: 'SHOULD',
    safety: true,
    needs: [],
    heavy: true,
    title: 'Ten megabytes in, ten megabytes out',
    why: 'An answer too big to store must not mean an order placed twice.',
    source: 'draft-07 2.6',
    seconds: 3,
    run: async (trial) => {
      const large = padTo(trial, trial.request(), 10 * megabyte)
      const first = await trial.send(large)
      if (succeeded(first))
        await mustReplay(trial, first, await trial.send(large), 'a request of 10 MiB, repeated')
      else trial.note(`a request of 10 MiB is not accepted: ${statusOf(first) || brief(first)}`)
      if (trial.target.options.fixture !== true) return
      const part = await trial.part()
      const { request, first: huge } = await begin(part, { query: { body: `bytes:${10 * megabyte}` } })
      const again = await part.send(request)
      if (succeeded(again)) await mustReplay(part, huge, again, 'an answer of 10 MiB, repeated')
      else {
        await part.expectEffects(1, 'an answer of 10 MiB, repeated', [huge, again])
        trial.card('large answers', `not replayed: ${statusOf(again)}`)
      }
      if (succeeded(huge) && answerOf(huge)?.body.length !== 10 * megabyte) {
        trial.fault(`the first answer has ${answerOf(huge)?.body.length} bytes`, `${10 * megabyte} bytes`, [
          huge,
        ])
      }
    },
  },
  {
    id: 'LRG-02',
    level: 'BEYOND',
    safety: true,
    needs: [],
    heavy: true,
    title: 'Two slow uploads that end together; a body that is too large',
    why: 'A fingerprint needs the whole body: nothing may be decided before it is there.',
    source: 'draft-07 2.6; safety',
    seconds: 21,
    run: async (trial) => {
      const totalMs = 20_000
      const bytesPerSecond = 10 * 1024
      // Blanks before the JSON make it last: small enough for the usual limits of 100 kB would be over in ten.
      const size = 90 * 1024
      const slow = padTo(trial, trial.request(), size)
      const pace = Math.min(bytesPerSecond, Math.ceil(encode(slow).length / (totalMs / 1000)))
      const both = await Promise.all([trial.trickle(slow, pace, totalMs), trial.trickle(slow, pace, totalMs)])
      trial.showRace(both)
      const [one] = both
      if (both.every((exchange) => !succeeded(exchange)))
        trial.fault(`two slow uploads: ${both.map(brief).join(' and ')}`, 'one success', both)
      await trial.expectEffects(1, 'two slow uploads', both)
      if (one !== undefined) await tooLarge(trial)
    },
  },
]

async function tooLarge(trial: Trial): Promise<void> {
  const part = await trial.part()
  const small = part.request()
  const large = await part.send(padTo(trial, small, 24 * megabyte))
  if (succeeded(large)) {
    trial.note('24 MiB are accepted: no limit met')
    return
  }
  if (statusOf(large) !== 413) trial.note(`a body of 24 MiB: ${brief(large)}`)
  const after = await part.send(small)
  if (!succeeded(after))
    trial.fault(`the small body after the large one, same key: ${brief(after)}`, 'a success', [large, after])
  await part.expectEffects(1, 'a body too large, then a small one', [after])
}

/** The request with a longer body that means the same: blanks before a JSON text. */
function padTo(trial: Trial, request: Request, size: number): Request {
  const body = request.body ?? Buffer.alloc(0)
  const filler = isObject(parseJson(body.toString('utf8'))) ? ' ' : 'a'
  if (body.length >= size) return request
  const padded = Buffer.concat([Buffer.alloc(size - body.length, filler), body])
  return trial.target.key.kind === 'header'
    ? withBody(trial.target, request, padded)
    : { ...request, body: padded }
}
