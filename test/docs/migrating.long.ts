// docs/migrating.md, "Draining old keys": the old library outside, hapax inside, on the libraries themselves, which
// bench/peers installs.
import { execFile } from 'node:child_process'
import type { RequestListener } from 'node:http'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import express, { type RequestHandler } from 'express'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { startRedis } from '../../scripts/services/index.ts'
import { idempotency } from '../../src/adapters/express.ts'
import { withIdempotency } from '../../src/adapters/lambda.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { listen } from '../support/adapters/serve.ts'
import { exchange } from '../support/raw-http.ts'
import { servers } from '../support/servers.ts'

const peers = fileURLToPath(new URL('../../bench/peers', import.meta.url))
const requirePeer = createRequire(`${peers}/package.json`)
const redis = await servers(() => startRedis())

beforeAll(async () => {
  await promisify(execFile)('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: peers })
}, 240_000)
afterAll(() => redis?.stop())

test('express-idempotency: keys of before keep their answers, and keys of the time of both keep theirs', async () => {
  const { idempotency: oldMiddleware, getSharedIdempotencyService } = requirePeer('express-idempotency') as {
    idempotency(): RequestHandler
    getSharedIdempotencyService(): { isHit(request: express.Request): boolean }
  }
  const old = oldMiddleware()
  const once = idempotency({ store: memoryStore(), scope: false })
  const unlessHit: RequestHandler = (req, _res, next) => {
    if (!getSharedIdempotencyService().isHit(req)) next()
  }
  let runs = 0
  const app = (...layers: RequestHandler[]): RequestListener => {
    const made = express().use(express.json())
    made.post('/orders', ...layers, (_req, res) => {
      runs += 1
      res.status(201).json({ run: runs })
    })
    return made
  }
  await drains({
    before: await sender(app(old, unlessHit)),
    both: await sender(app(old, unlessHit, once)),
    after: await sender(app(once)),
    runs: () => runs,
  })
})

test.skipIf(redis === undefined)('Powertools: the same', async () => {
  const { makeIdempotent, IdempotencyConfig } = requirePeer(
    '@aws-lambda-powertools/idempotency',
  ) as Powertools
  const { CachePersistenceLayer } = requirePeer('@aws-lambda-powertools/idempotency/cache') as PowertoolsCache
  const { createClient } = requirePeer('@redis/client') as RedisClients
  const client = createClient({ url: redis?.url ?? '' })
  await client.connect()
  const old = (handler: object) =>
    makeIdempotent(handler, {
      persistenceStore: new CachePersistenceLayer({ client }),
      config: new IdempotencyConfig({ eventKeyJmesPath: 'headers."idempotency-key"' }),
    })
  let runs = 0
  const handler = async (_event: object, _context: object) => {
    runs += 1
    return { statusCode: 201, body: `{"run":${runs}}` }
  }
  const guarded = withIdempotency(handler, { store: memoryStore(), scope: false })
  const context = { getRemainingTimeInMillis: () => 10_000 }
  const caller = (invoke: (event: never, context: never) => Promise<unknown>) => async (key: string) => {
    const event = {
      rawPath: '/orders',
      rawQueryString: '',
      headers: { 'idempotency-key': key },
      requestContext: { http: { method: 'POST' } },
      body: '{"item":"book"}',
      isBase64Encoded: false,
    }
    const { statusCode, body } = (await invoke(event as never, context as never)) as Answer
    return `${statusCode} ${body}`
  }
  await drains({
    before: caller(old(handler)),
    both: caller(old(guarded)),
    after: caller(guarded),
    runs: () => runs,
  })
  await client.close()
})

type Send = (key: string) => Promise<string>

async function drains(app: { before: Send; both: Send; after: Send; runs(): number }): Promise<void> {
  expect(await app.before('k-before')).toBe('201 {"run":1}')
  expect(await app.both('k-before')).toBe('201 {"run":1}')
  expect(await app.both('k-both')).toBe('201 {"run":2}')
  // A copy that was not yet deployed anew, and one that is a step further.
  expect(await app.before('k-both')).toBe('201 {"run":2}')
  expect(await app.after('k-both')).toBe('201 {"run":2}')
  expect(app.runs()).toBe(2)
}

async function sender(listener: RequestListener): Promise<Send> {
  const server = await listen(listener)
  onTestFinished(() => server.close())
  return async (key) => {
    const answer = await exchange(server.port, {
      target: '/orders',
      headers: [
        ['Content-Type', 'application/json'],
        ['Idempotency-Key', key],
      ],
      body: '{"item":"book"}',
    })
    return `${answer.status} ${answer.body.toString()}`
  }
}

// What is used of the libraries, which the root does not install.

interface Answer {
  readonly statusCode: number
  readonly body: string
}
interface Powertools {
  makeIdempotent(handler: object, options: object): (event: never, context: never) => Promise<unknown>
  IdempotencyConfig: new (options: object) => object
}
interface PowertoolsCache {
  CachePersistenceLayer: new (options: object) => object
}
interface RedisClients {
  createClient(options: object): { connect(): Promise<unknown>; close(): Promise<unknown> }
}
