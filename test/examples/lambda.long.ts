// examples/lambda, compiled against the types of AWS and bundled as it would be deployed, in two processes: two copies
// of a function know of each other only by the store.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { startRedis } from '../../scripts/services/index.ts'
import { servers } from '../support/servers.ts'
import { installExample } from './installed.ts'

const redis = await servers(() => startRedis())
afterAll(() => redis?.stop())

const httpApi = {
  rawPath: '/orders',
  rawQueryString: '',
  headers: { 'idempotency-key': 'k1', 'content-type': 'application/json' },
  requestContext: { http: { method: 'POST' }, authorizer: { jwt: { claims: { sub: 'ann' } } } },
  body: '{"item":"book"}',
  isBase64Encoded: false,
}
const restApi = {
  httpMethod: 'POST',
  path: '/orders',
  headers: { 'Idempotency-Key': 'k1' },
  multiValueHeaders: { 'Idempotency-Key': ['k1'] },
  multiValueQueryStringParameters: null,
  requestContext: { authorizer: { principalId: 'bob' } },
  body: '{"item":"book"}',
  isBase64Encoded: false,
}

test.skipIf(redis === undefined)(
  'a retry that reaches another copy gets the first result',
  async () => {
    const example = await installExample('lambda')
    await example.exec(['npm', 'run', 'build'])
    const bundle = `${example.folder}/dist/handler.cjs`
    const copies = [copyOf(bundle, redis?.url ?? ''), copyOf(bundle, redis?.url ?? '')] as const
    let orders = 0
    for (const [name, event] of Object.entries({ httpApi, restApi })) {
      const first = await copies[0](name, event)
      orders += 1
      expect(first).toMatchObject({ statusCode: 201 })
      expect(JSON.parse(first.body ?? '')).toMatchObject({ item: 'book', number: orders })
      const second = await copies[1](name, event)
      expect(second).toMatchObject({ ...first, headers: { 'idempotent-replayed': 'true' } })
      expect(await copies[1](name, { ...event, body: '{}' })).toMatchObject({ statusCode: 422 })
    }
    const other = {
      ...httpApi,
      requestContext: { ...httpApi.requestContext, authorizer: { jwt: { claims: { sub: 'eve' } } } },
    }
    expect(JSON.parse((await copies[1]('httpApi', other)).body ?? '')).toMatchObject({ number: orders + 1 })
    expect(await copies[0]('httpApi', { ...httpApi, headers: {} })).toMatchObject({ statusCode: 400 })
  },
  120_000,
)

/** Starts a process that calls the functions of a bundle, as Lambda does: one event at a time. */
function copyOf(bundle: string, redisUrl: string) {
  const script = `
    const handlers = require(${JSON.stringify(bundle)})
    process.on('message', async ({ name, event }) => {
      const endMs = Date.now() + 10_000
      process.send(await handlers[name](event, { getRemainingTimeInMillis: () => endMs - Date.now() }))
    })`
  const child = fork('-e', [script], { execArgv: [], env: { ...process.env, REDIS_URL: redisUrl } })
  onTestFinished(() => void child.kill('SIGKILL'))
  return async (name: string, event: object): Promise<{ statusCode?: number; body?: string }> => {
    const answered = once(child, 'message')
    child.send({ name, event })
    return (await answered)[0] as { statusCode?: number; body?: string }
  }
}
