// What a developer gets wrong when mounting hapax: each gets one sentence, and nobody a second run that was refused.
import assert from 'node:assert/strict'
import type { Logger } from '../../core/misuse.ts'
import { eventually } from './deferred.ts'
import { jsonOf } from './raw-http.ts'
import { type AdapterCase, counter, post } from './subject.ts'

export const mistakeCases: readonly AdapterCase[] = [
  {
    name: 'warns once where it is mounted twice, and guards all the same',
    needs: ['layers'],
    async run(kit) {
      const { handler, runs } = counter()
      const { logger, codes } = collector()
      const server = await kit.start({ scope: false, logger }, handler, { twice: true })
      for (let turn = 0; turn < 2; turn += 1) {
        const answer = await post(server, { key: 'k1' })
        assert.deepEqual([answer.status, jsonOf(answer)], [201, { run: 1 }])
      }
      assert.equal(runs(), 1)
      assert.deepEqual(codes(), ['mounted-twice'])
    },
  },

  {
    name: 'warns once where the answer began before it, and lets the request through',
    needs: ['answers that begin before'],
    async run(kit) {
      let runs = 0
      const { logger, codes } = collector()
      const server = await kit.start(
        { scope: false, logger },
        () => {
          runs += 1
          return { kind: 'empty', status: 200 }
        },
        { begun: true },
      )
      for (let turn = 1; turn <= 2; turn += 1) {
        // What becomes of an answer that is begun twice is the framework's to say.
        post(server, { key: 'k1' }).catch(() => {})
        await eventually('the handler runs', () => runs === turn)
      }
      assert.deepEqual(codes(), ['response-began'])
    },
  },

  {
    name: 'warns once where CORS headers are set behind it',
    async run(kit) {
      const { logger, codes } = collector()
      const server = await kit.start({ scope: false, logger }, () => ({
        kind: 'json',
        status: 201,
        headers: [['Access-Control-Allow-Origin', '*']],
        value: {},
      }))
      for (const key of ['k1', 'k2']) assert.equal((await post(server, { key })).status, 201)
      assert.deepEqual(codes(), ['cors-after'])
    },
  },

  {
    name: 'names the cure where it stands before the authentication that its scope needs',
    async run(kit) {
      const { handler, runs } = counter()
      const server = await kit.start({ scope: userOfNobody }, handler)
      const answer = await post(server, { key: 'k1' })
      assert.equal(answer.status, 500)
      assert.match(String(jsonOf(answer)['detail']), /mount hapax after authentication/)
      assert.equal(runs(), 0)
    },
  },
]

/** The user whom an authentication behind hapax would have found: a program without types can return nothing. */
function userOfNobody(): string {
  return undefined as unknown as string
}

/** The codes of what was warned of. */
function collector(): { logger: Logger; codes(): string[] } {
  const warnings: string[] = []
  return {
    logger: { warn: (message) => void warnings.push(message) },
    codes: () =>
      warnings.map((message) => /\[([a-z-]+): docs\/misuse\.md#\1\]$/.exec(message)?.[1] ?? message),
  }
}
