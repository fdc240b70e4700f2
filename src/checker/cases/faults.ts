import { answerOf, brief, statusOf, succeeded } from '../answers.ts'
import type { Case } from '../model.ts'
import type { Trial } from '../trial.ts'
import { encode, type Exchange, type Request } from '../wire/message.ts'
import { pause, settled } from './judging.ts'
import { crashCases } from './crashes.ts'
import { instanceCases } from './instances.ts'

/** Clients that go away. */
export const faultCases: readonly Case[] = [
  {
    id: 'FLT-01',
    level: 'SHOULD',
    safety: true,
    needs: ['slow'],
    heavy: true,
    title: 'The client hangs up while the operation runs',
    why: 'This is the case that keys are for: the effect happens, the answer is lost, the client asks again.',
    source: 'draft-07 1, 2.6',
    seconds: 3,
    run: async (trial) => {
      const request = trial.slow()
      const { exchange, sawAnswer } = await trial.abandon(request, Math.min(300, trial.target.slowMs / 3))
      if (sawAnswer) trial.inconclusive('the operation was over before the client could hang up')
      await pause(trial.target.slowMs)
      const retry = await settled(trial, request, 5000)
      const again = await trial.send(request)
      trial.showRace([exchange, retry, again])
      if (!succeeded(retry))
        trial.fault(`the retry: ${brief(retry)}`, 'the original answer', [exchange, retry])
      await trial.expectEffects(
        1,
        'a request that was hung up on, and its retries',
        [exchange, retry, again],
        300,
      )
      if (succeeded(retry)) trial.expectReplay(retry, again, 'a second retry')
    },
  },
  {
    id: 'FLT-02',
    level: 'SHOULD',
    safety: true,
    needs: [],
    heavy: true,
    title: 'Half a request',
    why: 'A request that never came whole must not run, nor take its key with it.',
    source: 'RFC 9112 8; draft-07 2.6',
    seconds: 2,
    run: async (trial) => {
      const request = trial.request()
      if (request.body === undefined || request.body.length < 2)
        return trial.notApplicable('the request has no body')
      const whole = encode(request)
      await cut(trial, request, whole.subarray(0, whole.length - Math.ceil(request.body.length / 2)))
      const chunked: Request = { ...request, framing: { kind: 'chunked', sizes: [4] } }
      const all = encode(chunked)
      await cut(trial, chunked, all.subarray(0, all.length - '0\r\n\r\n'.length))
      await pause(300)
      const early = await trial.effects()
      if (early > 0) trial.fault(`half a request had ${early} effects`, 'no effect', [])
      const full = await settled(trial, request, 3000)
      if (!succeeded(full)) trial.fault(`the whole request afterwards: ${brief(full)}`, 'a success', [full])
      await trial.expectEffects(1, 'two halves and a whole', [full])
    },
  },
  {
    id: 'FLT-03',
    level: 'SHOULD',
    safety: false,
    needs: ['fixture'],
    title: 'The client hangs up while the answer streams',
    why: 'The part that was sent is not the answer: the retry must get the whole.',
    source: 'draft-07 2.6',
    seconds: 3,
    run: async (trial) => {
      const request = trial.request({ query: { body: 'bytes:4000', chunks: '4', gapMs: '200' } })
      const { exchange } = await trial.abandon(request, 'first-byte')
      await pause(1200)
      const retry = await settled(trial, request, 4000)
      const length = answerOf(retry)?.body.length ?? 0
      if (statusOf(retry) === 409) {
        trial.warn(`the answer is not to be had: ${brief(retry)}`, 'the whole answer', [exchange, retry])
      } else if (!succeeded(retry) || length !== 4000) {
        trial.fault(`the retry: ${statusOf(retry)} with ${length} bytes`, 'all 4000 bytes', [exchange, retry])
      }
      await trial.expectEffects(1, 'a cut answer and its retry', [exchange, retry])
    },
  },
  {
    id: 'FLT-04',
    level: 'SHOULD',
    safety: true,
    needs: ['slow'],
    heavy: true,
    title: 'An impatient client',
    why: 'Five short timeouts, each with a retry: the phone in a tunnel.',
    source: 'draft-07 2.6',
    seconds: 4,
    run: async (trial) => {
      const request = trial.slow()
      const tries: Exchange[] = []
      for (let turn = 0; turn < 5; turn += 1) tries.push((await trial.abandon(request, 300)).exchange)
      const last = await settled(trial, request, trial.target.slowMs + 5000)
      trial.showRace([...tries, last])
      if (!succeeded(last)) trial.fault(`in the end: ${brief(last)}`, 'the original answer', [...tries, last])
      const odd = tries.find((one) => statusOf(one) !== 0 && statusOf(one) !== 409 && !succeeded(one))
      if (odd !== undefined) trial.fault(`meanwhile: ${brief(odd)}`, '409, or the original answer', [odd])
      await trial.expectEffects(1, 'five impatient tries', [...tries, last], 300)
    },
  },
  ...crashCases,
  ...instanceCases,
  {
    id: 'FLT-12',
    level: 'MUST',
    safety: true,
    needs: ['gateway', 'fixture'],
    title: 'A gateway does not repeat a POST by itself',
    why: 'An upstream that took the request and then broke off may have acted: sending it again may act twice.',
    source: 'RFC 9110 9.2.2',
    seconds: 3,
    run: async (trial) => {
      const request = trial.request({ query: { fail: 'after-drop' } })
      const first = await trial.send(request)
      if (![502, 503, 504].includes(statusOf(first)))
        trial.warn(`the upstream broke off: ${brief(first)}`, '502 or 504', [first])
      await trial.expectEffects(1, 'a request that the upstream broke off', [first], 300)
      const again = await trial.send(request)
      await trial.expectEffects(1, 'and its repeat', [first, again], 300)
    },
  },
]

/** Sends some of the bytes and resets the connection. */
async function cut(trial: Trial, request: Request, bytes: Buffer): Promise<void> {
  const connection = await trial.connect(request)
  await connection.write(bytes)
  await pause(100)
  connection.reset()
}
