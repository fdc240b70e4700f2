import assert from 'node:assert/strict'
import express from 'express'
import Koa from 'koa'
import { memoryStore } from '../../src/stores/memory.ts'
import type { AdapterServer, AdapterSubject } from '../../src/testing/adapter.ts'
import { exchange } from '../../src/testing/adapter/raw-http.ts'
import { expressSubject } from '../../test/support/adapters/express.ts'
import { fastifySubject } from '../../test/support/adapters/fastify.ts'
import { honoSubject } from '../../test/support/adapters/fetch.ts'
import { koaSubject } from '../../test/support/adapters/koa.ts'
import { nodeSubject } from '../../test/support/adapters/node.ts'
import { answersIn } from '../answers.ts'
import { httpCorpus, httpTokens, keyMark } from '../http/corpus.ts'
import { deliver } from '../http/deliver.ts'
import type { FuzzTarget, OpenTarget } from '../target.ts'

/** The first byte of an input says how its other bytes are sent: see `deliver`. */
export const httpTargets: readonly FuzzTarget[] = [
  target('http-express', expressSubject({ name: 'Express 5', express })),
  target('http-fastify', fastifySubject),
  target('http-koa', koaSubject('Koa 3', Koa)),
  target('http-hono', honoSubject),
  target('http-node', nodeSubject),
]

function target(name: string, subject: AdapterSubject): FuzzTarget {
  return {
    name,
    what: `whatever is sent to ${subject.name}, a key has one effect and the server lives`,
    isServed: true,
    tokens: httpTokens,
    open: () => openHttp(subject),
  }
}

async function openHttp(subject: AdapterSubject): Promise<OpenTarget> {
  const store = memoryStore()
  const effects = new Map<string, number>()
  const server = await subject.start(
    { store, scope: false, retain: '10m' },
    async ({ idempotency, body }) => {
      const { length } = await body()
      const { key } = idempotency
      if (key !== undefined) effects.set(key, (effects.get(key) ?? 0) + 1)
      return { kind: 'json', status: 201, value: { length } }
    },
  )
  let inputs = 0
  return {
    corpus: httpCorpus,
    async run(input) {
      inputs += 1
      effects.clear()
      const bytes = Buffer.from(input.toString('latin1', 1).replaceAll(keyMark, `k${inputs}-`), 'latin1')
      const received = await deliver(server.port, bytes, input[0] ?? 0, () =>
        assertHealthy(server, `health ${inputs}`),
      )
      const { answers } = answersIn(received)
      for (const [key, times] of effects)
        assert(times <= 1, `${times} effects of the key ${JSON.stringify(key)}`)
      // Each request ends its head with an empty line, and one that is malformed is answered too.
      const most = bytes.toString('latin1').split(/\r?\n\r?\n/).length + 1
      assert(answers.length <= most, `${answers.length} answers to ${most - 2} heads`)
      await assertHealthy(server, `health after ${inputs}`)
    },
    async close() {
      await server.close()
      await store.close()
    },
  }
}

async function assertHealthy(server: AdapterServer, key: string): Promise<void> {
  const answer = await exchange(server.port, {
    headers: [
      ['Idempotency-Key', JSON.stringify(key)],
      ['Content-Type', 'application/json'],
    ],
    body: '{}',
  })
  assert.equal(answer.status, 201, 'a healthy request was not served')
}
