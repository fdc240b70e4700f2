import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import { HTTPException } from 'hono/http-exception'
import { Hono as Hono3 } from 'hono3'
import { describe, expect, it } from 'vitest'
import { type HonoOptions, idempotency } from '../../src/adapters/hono.ts'
import { collectingLogger } from '../support/logger.ts'

const guard = (options: Partial<HonoOptions> = {}) => idempotency<Context>({ scope: false, ...options })

function post(app: Hono, target = '/', { key = 'k1', body = '{"item":17}', headers = {} } = {}) {
  return app.request(target, {
    method: 'POST',
    body,
    headers: { 'Idempotency-Key': key, 'Content-Type': 'application/json', ...headers },
  })
}

it('is refused on Hono 3, with a sentence that names the cure', async () => {
  // As an application without types has it.
  const app = new Hono3() as unknown as Hono
  let runs = 0
  app.onError((error, c) => c.text(error.message, 500))
  app.use('*', guard())
  app.all('/', (c) => c.text(`run ${(runs += 1)}`))
  const answer = await post(app)
  expect([answer.status, await answer.text()]).toEqual([
    500,
    'hapax works on Hono 4, and this is an earlier release: upgrade Hono.',
  ])
  expect(runs).toBe(0)
  expect(await (await app.request('/')).text()).toBe('run 1')
})

describe('Hono', () => {
  it('gives handlers c.get("idempotency"), and guards the routes it is used on', async () => {
    const app = new Hono()
    app.use('/api/*', guard())
    app.post('/api/orders', async (c) =>
      c.json({ key: c.get('idempotency').key, ...(await c.req.json()) }, 201),
    )
    app.post('/other', (c) => c.json({ guarded: c.get('idempotency') !== undefined }))
    for (const replayed of [null, 'true']) {
      const response = await post(app, '/api/orders')
      expect([response.status, await response.json()]).toEqual([201, { key: 'k1', item: 17 }])
      expect(response.headers.get('idempotent-replayed')).toBe(replayed)
    }
    expect(await (await post(app, '/other')).json()).toEqual({ guarded: false })
  })

  it('gives every answer the headers of outer middleware anew, and records none of them', async () => {
    const { logger, warnings } = collectingLogger()
    const app = new Hono()
    let requests = 0
    app.use(cors({ origin: 'https://shop.example', exposeHeaders: ['Location'] }))
    app.use(async (c, next) => {
      requests += 1
      c.header('X-Request', String(requests))
      await next()
      c.header('X-After', 'yes')
    })
    app.use(guard({ logger }))
    app.post('/', (c) => c.text('made', 201, { Location: '/orders/1', 'X-Own': 'own' }))
    const origin = { headers: { Origin: 'https://shop.example' } }
    const answers = [
      await post(app, '/', origin),
      await post(app, '/', origin),
      await post(app, '/', { ...origin, body: '{}' }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 422])
    for (const [index, { headers }] of answers.entries()) {
      expect(headers.get('x-request')).toBe(String(index + 1))
      expect(headers.get('x-after')).toBe('yes')
      expect(headers.get('access-control-allow-origin')).toBe('https://shop.example')
      expect(headers.get('access-control-expose-headers')).toBe(
        'Location, Idempotent-Replayed, Idempotency-Expires',
      )
      expect(headers.get('x-own')).toBe(index < 2 ? 'own' : null)
    }
    expect(warnings).toEqual([])
  })

  it("gives them to a response that is not of Hono's making, too", async () => {
    const app = new Hono()
    let requests = 0
    app.use(async (c, next) => {
      c.header('X-Request', String((requests += 1)))
      await next()
    })
    app.use(guard())
    app.post('/', () => new Response('made'))
    for (const request of ['1', '2']) expect((await post(app)).headers.get('x-request')).toBe(request)
  })

  it('adds only its own headers to an answer', async () => {
    const [bare, app] = [new Hono(), new Hono()]
    app.use(guard())
    for (const each of [bare, app]) each.post('/', (c) => c.text('made'))
    const wanted = Object.fromEntries((await post(bare)).headers)
    for (const extra of [{}, { 'idempotent-replayed': 'true' }]) {
      const { headers } = await post(app)
      expect(Object.fromEntries(headers)).toEqual({
        ...wanted,
        'content-length': '4',
        'idempotency-expires': expect.any(String),
        ...extra,
      })
    }
    const unkeyed = await app.request('/', { method: 'POST', body: '{}' })
    expect(Object.fromEntries(unkeyed.headers)).toEqual(wanted)
  })

  it('leaves it to Hono to say that a handler has returned nothing; under a key it is a failure', async () => {
    const app = new Hono()
    app.onError((error, c) => c.text(error.message, 500))
    const { logger } = collectingLogger()
    app.use(guard({ logger }), guard({ logger }))
    // As an application without types has it.
    app.all('/', (() => {}) as never)
    for (const method of ['GET', 'POST']) {
      const answer = await app.request('/', { method })
      expect([answer.status, await answer.text()]).toEqual([500, expect.stringContaining('not finalized')])
    }
    const keyed = await post(app)
    expect([keyed.status, await keyed.text()]).toEqual([
      500,
      expect.stringContaining('must return a Response'),
    ])
    expect((await post(app)).headers.get('idempotent-replayed')).toBe('true')
  })

  it('warns when CORS headers come behind it, and when it is used twice', async () => {
    const { logger, warnings } = collectingLogger()
    const app = new Hono()
    app.use(guard({ logger }), guard({ logger }), cors())
    let runs = 0
    app.post('/', (c) => c.json({ runs: (runs += 1) }))
    for (let turn = 0; turn < 2; turn += 1) expect(await (await post(app)).json()).toEqual({ runs: 1 })
    expect(warnings).toEqual([
      expect.stringContaining('mounted-twice'),
      expect.stringContaining('cors-after'),
    ])
  })

  it('says what to do when the caller is not known yet', async () => {
    const app = new Hono()
    app.use(guard({ scope: (c) => c.get('user' as never) }))
    app.post('/', (c) => c.text('never'))
    const response = await post(app)
    expect([response.status, await response.text()]).toEqual([
      500,
      expect.stringMatching(/after authentication/),
    ])
  })

  it('takes a body that a middleware before it has read, but for forms with a boundary', async () => {
    const app = new Hono()
    app.use(async (c, next) => {
      if (c.req.header('x-form') === undefined) await c.req.json()
      else await c.req.parseBody()
      await next()
    })
    app.use(guard())
    let runs = 0
    app.post('/', async (c) => c.json({ runs: (runs += 1), body: await c.req.text() }))
    expect((await post(app)).status).toBe(200)
    expect(await (await post(app, '/', { body: '{ "item": 17 }' })).json()).toEqual({
      runs: 1,
      body: '{"item":17}',
    })
    expect((await post(app, '/', { body: '{"item":18}' })).status).toBe(422)
    const form = new FormData()
    form.set('a', '1')
    const upload = await app.request('/', {
      method: 'POST',
      body: form,
      headers: { 'Idempotency-Key': 'k2', 'X-Form': '1' },
    })
    expect(await upload.json()).toMatchObject({ code: 'body-consumed' })
  })

  it('records what the error handler answers, and a 404', async () => {
    const app = new Hono()
    let runs = 0
    app.use(guard())
    app.onError((error, c) =>
      c.json({ said: error.message }, error instanceof HTTPException ? error.status : 500),
    )
    app.post('/declined', () => {
      runs += 1
      throw new HTTPException(402, { message: 'declined' })
    })
    for (const [target, status] of [
      ['/declined', 402],
      ['/none', 404],
    ] as const) {
      for (const replayed of [null, 'true']) {
        const response = await post(app, target, { key: target.slice(1) })
        expect([response.status, response.headers.get('idempotent-replayed')]).toEqual([status, replayed])
      }
    }
    expect(runs).toBe(1)
  })

  it('answers with `respond`, with Retry-After where there is one', async () => {
    const app = new Hono()
    const once = guard({
      respond: (problem, c) =>
        Response.json({ error: problem.code, path: c.req.path }, { status: problem.status }),
    })
    app.use(once)
    app.post('/', (c) => c.text('never'))
    await once.close()
    const response = await post(app)
    expect([response.status, await response.json()]).toEqual([503, { error: 'store-unavailable', path: '/' }])
    expect(response.headers.get('retry-after')).toBe('1')
  })
})
