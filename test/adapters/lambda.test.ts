import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import {
  idempotency,
  type LambdaEventV1,
  type LambdaEventV2,
  type LambdaOptions,
  withIdempotency,
} from '../../src/adapters/lambda.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { deferred } from '../support/deferred.ts'
import { collectingLogger } from '../support/logger.ts'
import { storeWith } from '../support/stores.ts'

// As AWS documents them, with an authorizer and a cookie.
const httpApi = {
  version: '2.0',
  routeKey: 'POST /orders',
  rawPath: '/orders',
  rawQueryString: 'a=1&a=2',
  cookies: ['session=7', 'theme=dark'],
  headers: { 'content-type': 'application/json', 'idempotency-key': 'k1' },
  requestContext: {
    http: { method: 'POST', path: '/orders' },
    authorizer: { jwt: { claims: { sub: 'ann' } } },
  },
  body: '{"item":17}',
  isBase64Encoded: false,
}
const restApi = {
  resource: '/orders',
  httpMethod: 'POST',
  path: '/orders',
  headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'k1' },
  multiValueHeaders: { 'Content-Type': ['application/json'], 'Idempotency-Key': ['k1'] },
  queryStringParameters: { a: '2' },
  multiValueQueryStringParameters: { a: ['1', '2'] },
  requestContext: { path: '/prod/orders' },
  body: '{"item":17}',
  isBase64Encoded: false,
}
const context = { getRemainingTimeInMillis: () => 30_000 }
const guard = (options: Partial<LambdaOptions> = {}) => idempotency({ scope: false, ...options })

describe('events', () => {
  it.each<[string, LambdaEventV1 | LambdaEventV2]>([
    ['of HTTP APIs and function URLs', httpApi],
    ['of REST APIs', restApi],
    ['of REST APIs tried in the console, without lists', { ...restApi, multiValueHeaders: null }],
  ])('%s reach the handler as they are, with the idempotency', async (_, event) => {
    const handler = guard()((given) => {
      const { idempotency: own, ...rest } = given
      expect(rest).toEqual(event)
      return { statusCode: 201, body: String(own.key) }
    })
    const first = await handler(event, context)
    expect(first).toMatchObject({ statusCode: 201, body: 'k1', isBase64Encoded: false })
    // The same object again, as a test of an application would have it.
    expect(await handler(event, context)).toMatchObject({
      ...first,
      headers: { 'idempotent-replayed': 'true' },
    })
    expect(event).not.toHaveProperty('idempotency')
  })

  it('show the options who calls', async () => {
    const once = idempotency({
      scope: (event: typeof httpApi) => event.requestContext.authorizer.jwt.claims.sub,
    })
    const scopes: unknown[] = []
    await once((event) => {
      scopes.push(event.idempotency.scope)
      return { statusCode: 204 }
    })(httpApi, context)
    expect(scopes).toEqual(['ann'])
  })

  const others: Array<[string, object, object, boolean]> = [
    ['another body', httpApi, { body: '{"item":18}' }, false],
    ['the body in base64', httpApi, { body: btoa('{"item":17}'), isBase64Encoded: true }, true],
    ['another query', httpApi, { rawQueryString: 'a=1' }, false],
    ['another query (REST)', restApi, { multiValueQueryStringParameters: { a: ['1'] } }, false],
    ['another path', httpApi, { rawPath: '/orders/1' }, false],
    [
      'a path with the query in it',
      { ...restApi, path: '/orders?a=1&a=2', multiValueQueryStringParameters: null },
      restApi,
      false,
    ],
    ['other cookies', httpApi, { cookies: [] }, true],
  ]
  it.each(others)('with %s are told apart: %#', async (_, event, change, same) => {
    const handler = guard()(() => ({ statusCode: 201 }))
    await handler(event as LambdaEventV2, context)
    const second = await handler({ ...event, ...change } as LambdaEventV2, context)
    expect(second).toMatchObject({ statusCode: same ? 201 : 422 })
  })

  it.each([
    [{ ...restApi, multiValueHeaders: { 'Idempotency-Key': ['k1', 'k1'] } }],
    [{ ...httpApi, headers: { 'idempotency-key': 'k1,k1' } }],
    [{ ...httpApi, headers: { 'idempotency-key': 'schlüssel' } }],
  ])('with a key that is none are refused: %#', async (event) => {
    const result = await guard()(() => ({ statusCode: 201 }))(event, context)
    expect(result).toMatchObject({
      statusCode: 400,
      headers: { 'content-type': 'application/problem+json' },
      body: expect.stringContaining('malformed-key'),
    })
  })

  it('of queues and timers are refused with a sentence that names the cure', async () => {
    // Whatever triggers the function sends its events.
    const queue = { Records: [{ body: 'x' }] } as unknown as LambdaEventV2
    await expect(guard()(() => ({ statusCode: 201 }))(queue, context)).rejects.toThrow(/use run\(\) of hapax/)
  })

  it('that are not guarded, or have no key, get what the handler returned', async () => {
    const result = { statusCode: 200, own: 'member' }
    const seen: unknown[] = []
    const handler = guard()((event) => {
      seen.push(event.idempotency?.key)
      return result
    })
    const get = { ...httpApi, requestContext: { http: { method: 'GET' } } }
    expect(await handler(get, context)).toBe(result)
    expect(await handler({ ...httpApi, headers: {} }, context)).toBe(result)
    expect(seen).toEqual([undefined, undefined])
  })

  it('that pass two layers are guarded by the outer one, with a warning', async () => {
    const { logger, warnings } = collectingLogger()
    const once = guard({ logger })
    const handler = once(once(() => ({ statusCode: 201 })))
    expect(await handler(httpApi, context)).toMatchObject({ statusCode: 201 })
    expect(warnings.join()).toContain('mounted-twice')
  })
})

describe('results', () => {
  const binary = Buffer.from([0xff, 0x00, 0x80]).toString('base64')
  const results: Array<[string, typeof httpApi | typeof restApi, unknown, object]> = [
    ['a text', httpApi, { statusCode: 200, body: 'größer' }, { body: 'größer', isBase64Encoded: false }],
    [
      'binary',
      restApi,
      { statusCode: 200, body: binary, isBase64Encoded: true },
      { body: binary, isBase64Encoded: true },
    ],
    ['a status in letters', restApi, { statusCode: '202' }, { statusCode: 202 }],
    ['no body', httpApi, { statusCode: 204, body: '' }, { statusCode: 204, body: '' }],
    [
      'a value without status, which format 2.0 takes for JSON',
      httpApi,
      { id: 7 },
      { statusCode: 200, body: '{"id":7}', headers: { 'content-type': 'application/json' } },
    ],
    ['a bare text', httpApi, 'done', { statusCode: 200, body: 'done' }],
    [
      'a number as header',
      httpApi,
      { statusCode: 200, headers: { 'X-Left': 3 } },
      { headers: { 'x-left': '3' } },
    ],
  ]
  it.each(results)('%s comes back the same', async (_, event, result, expected) => {
    const handler = guard()(() => result)
    expect(await handler(event, context)).toMatchObject(expected)
    expect(await handler(event, context)).toMatchObject(expected)
  })

  it('without a type are given none, so that the gateway gives both its own', async () => {
    const handler = guard()(() => ({ statusCode: 200, body: '{}' }))
    for (let turn = 0; turn < 2; turn += 1) {
      expect(
        Object.keys(Object(Reflect.get(Object(await handler(httpApi, context)), 'headers'))),
      ).not.toContain('content-type')
    }
  })

  it('carry cookies in the form of their event, the first time only unless told to keep them', async () => {
    const cookies = ['a=1; Path=/', 'b=2']
    const keep = { replayHeaders: { include: ['Set-Cookie'] } }
    const v2 = guard(keep)(() => ({ statusCode: 200, cookies }))
    const v1 = guard()(() => ({ statusCode: 200, multiValueHeaders: { 'Set-Cookie': cookies } }))
    expect([await v2(httpApi, context), await v2(httpApi, context)]).toMatchObject([{ cookies }, { cookies }])
    expect(await v1(restApi, context)).toMatchObject({ multiValueHeaders: { 'set-cookie': cookies } })
    expect(await v1(restApi, context)).not.toHaveProperty('multiValueHeaders')
  })

  it.each([
    ['nothing, in format 1.0', restApi, undefined],
    ['a status that is none', httpApi, { statusCode: 'many' }],
    ['a body that is no text', httpApi, { statusCode: 200, body: { id: 7 } }],
  ])('that are none fail, and are recorded as failures: %s', async (_, event, result) => {
    let runs = 0
    const handler = guard()(() => {
      runs += 1
      return result
    })
    await expect(handler(event, context)).rejects.toThrow(Error)
    expect(await handler(event, context)).toMatchObject({ statusCode: 500 })
    expect(runs).toBe(1)
  })

  it('`respond` answers in the words of a handler', async () => {
    const handler = guard({
      required: true,
      respond: (problem) => ({ statusCode: problem.status, body: JSON.stringify({ error: problem.code }) }),
    })(() => ({ statusCode: 201 }))
    expect(await handler({ ...httpApi, headers: {} }, context)).toMatchObject({
      statusCode: 400,
      body: '{"error":"missing-key"}',
    })
  })
})

describe("the function's time", () => {
  it.each([
    ['the lease', {}, 2_500, 2_500],
    ['no lease that is shorter anyway', { lease: '1s' }, 20_000, 1_000],
    ['the lease when the time is over', {}, 0, 10],
  ] as const)('bounds %s', async (_, options, remainingMs, expectedMs) => {
    const leasesMs: number[] = []
    const inner = memoryStore()
    const store = {
      ...storeWith(inner, {}),
      claim: (request: Parameters<typeof inner.claim>[0]) => {
        leasesMs.push(request.leaseMs)
        return inner.claim(request)
      },
    }
    const handler = withIdempotency(() => ({ statusCode: 201 }), { scope: false, store, ...options })
    await handler(httpApi, { getRemainingTimeInMillis: () => remainingMs })
    expect(leasesMs).toEqual([expectedMs])
  })

  it('bounds a wait, so that there is time to answer 409', async () => {
    const running = deferred()
    const gate = deferred()
    const handler = guard({ concurrent: { wait: '20s' } })(async () => {
      running.resolve()
      await gate.promise
      return { statusCode: 201 }
    })
    const first = handler(httpApi, context)
    await running.promise
    const startedMs = performance.now()
    const second = await handler(httpApi, { getRemainingTimeInMillis: () => 600 })
    expect(second).toMatchObject({ statusCode: 409 })
    expect(performance.now() - startedMs).toBeLessThan(600)
    gate.resolve()
    await first
  })

  it('over, with the function killed, frees the key for recovery soon', async () => {
    const store = memoryStore()
    const stuck = guard({ store })(() => new Promise<never>(() => {}))
    void stuck(httpApi, { getRemainingTimeInMillis: () => 60 })
    await sleep(20)
    const next = guard({ store })(() => ({ statusCode: 201 }))
    await expect
      .poll(async () => Reflect.get(Object(await next(httpApi, context)), 'body'))
      .toContain('outcome-unknown')
  })
})
