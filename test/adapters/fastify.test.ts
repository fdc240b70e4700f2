import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify'
import { afterEach, describe, expect, it } from 'vitest'
import { type FastifyIdempotencyOptions, idempotency } from '../../src/adapters/fastify.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { deferred } from '../support/deferred.ts'
import { collectingLogger } from '../support/logger.ts'
import { exchange, headerOf, linesOf, type RawAnswer, type RawRequest } from '../support/raw-http.ts'
import { stoppedProcessClock, storeWith } from '../support/stores.ts'

const apps: FastifyInstance[] = []

afterEach(async () => {
  for (const app of apps.splice(0)) {
    app.server.closeAllConnections()
    await app.close()
  }
})

function create(): FastifyInstance {
  const app = fastify()
  apps.push(app)
  return app
}

async function guarded(options: Partial<FastifyIdempotencyOptions> = {}): Promise<FastifyInstance> {
  const app = create()
  await app.register(idempotency, { scope: false, ...options })
  return app
}

/** A POST with a key over a real connection. */
async function post(app: FastifyInstance, target: string, request: RawRequest = {}): Promise<RawAnswer> {
  if (!app.server.listening) await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const headers = [['Idempotency-Key', target] as const, ['Content-Type', 'text/plain'] as const]
  return exchange(port, { target, body: 'x', ...request, headers })
}

it('is refused by Fastify 4, with a sentence that names both versions', async () => {
  const { fastify: fastify4 } = await import('fastify4')
  // As an application without types has it.
  const app = fastify4() as unknown as ReturnType<typeof fastify>
  const registered = async () => app.register(idempotency, { scope: false })
  await expect(registered()).rejects.toThrow(
    /hapax - expected '5.x' fastify version, '4\.\d+\.\d+' is installed/,
  )
})

describe('routes', () => {
  it('guards an instance and those within, and no other', async () => {
    const app = create()
    await app.register(async (api) => {
      await api.register(idempotency, { scope: false })
      api.post('/api', async (request) => ({ key: request.idempotency.key }))
      await api.register(async (inner) => {
        inner.post('/inner', async (request) => ({ key: request.idempotency.key }))
      })
    })
    app.post('/outside', async (request) => ({ guarded: 'idempotency' in request }))
    for (const target of ['/api', '/inner']) {
      expect((await post(app, target)).body.toString()).toBe(JSON.stringify({ key: target }))
      expect(headerOf(await post(app, target), 'Idempotent-Replayed')).toBe('true')
    }
    expect(linesOf(await post(app, '/outside'), 'Idempotency-Expires')).toEqual([])
  })

  it('lets a route give options of its own, or none', async () => {
    const app = await guarded({ retain: '1h' })
    let runs = 0
    const handler = async () => ({ run: (runs += 1) })
    app.post('/required', { config: { idempotency: { required: true } } }, handler)
    app.post('/rerun', { config: { idempotency: { keep: () => 'release' } } }, handler)
    app.post('/off', { config: { idempotency: false } }, handler)
    app.put('/put', { config: { idempotency: { methods: ['PUT'] } } }, handler)
    const unkeyed = await app.inject({ method: 'POST', url: '/required' })
    expect([unkeyed.statusCode, unkeyed.json().code]).toEqual([400, 'missing-key'])
    for (const target of ['/rerun', '/rerun', '/off', '/off']) await post(app, target)
    expect(runs).toBe(4)
    for (let turn = 0; turn < 2; turn += 1) await post(app, '/put', { method: 'PUT' })
    expect(runs).toBe(5)
  })

  it('refuses a wrong option of a route when the route is declared', async () => {
    const app = await guarded()
    const declare = (own: object) => () =>
      app.post('/wrong', { config: { idempotency: own } }, async () => 'never')
    expect(declare({ requierd: true })).toThrow(/Unknown option "requierd"/)
    expect(declare({ store: memoryStore() })).toThrow(/Unknown option "store"/)
    expect(declare({ retain: 'long' })).toThrow(/retain/)
  })

  it('refuses a wrong option, and a Fastify that it was not written for', async () => {
    const app = create()
    // A program without types can give anything.
    const wrong = app.register(idempotency, { scoop: false } as unknown as FastifyIdempotencyOptions)
    await expect(wrong).rejects.toThrow(/Unknown option "scoop"/)
    const older = create()
    Object.defineProperty(older, 'version', { value: '4.29.0' })
    await expect(older.register(idempotency, { scope: false })).rejects.toThrow(
      /hapax - expected '5.x' fastify version, '4.29.0' is installed/,
    )
  })

  it('warns once when it is registered twice, and guards all the same', async () => {
    const { logger, warnings } = collectingLogger()
    const app = await guarded({ logger })
    await app.register(idempotency, { scope: false, logger })
    let runs = 0
    app.post('/', async () => ({ run: (runs += 1) }))
    for (let turn = 0; turn < 2; turn += 1) await post(app, '/')
    expect(runs).toBe(1)
    expect(warnings).toEqual([expect.stringContaining('mounted-twice')])
  })

  it('leaves a request alone that an earlier hook answers', async () => {
    const app = create()
    app.addHook('onRequest', async (_request, reply) => reply.code(401).send('who?'))
    await app.register(idempotency, { scope: false })
    app.post('/', async () => 'never')
    for (let turn = 0; turn < 2; turn += 1) {
      const answer = await post(app, '/')
      expect([answer.status, linesOf(answer, 'Idempotency-Expires')]).toEqual([401, []])
    }
  })

  it('says what to do when the caller is not known yet', async () => {
    const app = create()
    app.decorateRequest('user', '')
    await app.register(idempotency, {
      scope: (request: FastifyRequest & { user?: string }) => request.user,
    })
    // Authentication as late as this runs behind hapax.
    app.addHook('preHandler', async (request) => void Object.assign(request, { user: 'ann' }))
    app.post('/', async () => 'never')
    const answer = await post(app, '/')
    expect(answer.status).toBe(500)
    expect(answer.body.toString()).toMatch(/mount hapax after authentication/)
  })
})

describe('answers', () => {
  it('captures what `inject` gets, and replays it', async () => {
    const app = await guarded()
    app.post('/orders', async (request, reply) => reply.code(201).send({ got: request.body }))
    const inject = () =>
      app.inject({ method: 'POST', url: '/orders', headers: { 'idempotency-key': 'k1' }, payload: { a: 1 } })
    const first = await inject()
    const replayed = await inject()
    expect([first.statusCode, first.body]).toEqual([201, '{"got":{"a":1}}'])
    expect([replayed.statusCode, replayed.body]).toEqual([201, first.body])
    expect(replayed.headers['idempotent-replayed']).toBe('true')
    const empty = await app.inject({ method: 'POST', url: '/orders', headers: { 'idempotency-key': 'k2' } })
    expect(empty.statusCode).toBe(201)
  })

  it('captures a hijacked reply', async () => {
    const app = await guarded()
    let runs = 0
    app.post('/', (_request, reply) => {
      runs += 1
      reply.hijack()
      reply.raw.writeHead(202, { 'X-Run': runs })
      reply.raw.end('by hand')
    })
    for (let turn = 0; turn < 2; turn += 1) {
      const answer = await post(app, '/')
      expect([answer.status, headerOf(answer, 'X-Run'), answer.body.toString()]).toEqual([
        202,
        '1',
        'by hand',
      ])
    }
  })

  it('records what the last `onSend` hook made of it, and runs no hook on a replay but `onResponse`', async () => {
    const app = await guarded()
    const sent: string[] = []
    const responded: number[] = []
    app.addHook('onSend', async (_request, reply, payload) => {
      sent.push(String(payload))
      reply.header('X-Wrapped', 'yes')
      return `<${String(payload)}>`
    })
    app.addHook('onResponse', async (_request, reply) => void responded.push(reply.statusCode))
    app.post('/', async (_request, reply) => reply.code(201).send('plain'))
    for (let turn = 0; turn < 2; turn += 1) {
      const answer = await post(app, '/')
      expect([answer.body.toString(), headerOf(answer, 'X-Wrapped')]).toEqual(['<plain>', 'yes'])
    }
    expect(sent).toEqual(['plain'])
    await expect.poll(() => responded).toEqual([201, 201])
  })

  it('gives every answer the headers of outer hooks anew, and records none of them', async () => {
    const { logger, warnings } = collectingLogger()
    const app = create()
    let requests = 0
    app.addHook('onRequest', async (_request, reply) => {
      requests += 1
      reply.header('Access-Control-Allow-Origin', 'https://shop.example').header('X-Request', requests)
    })
    await app.register(idempotency, { scope: false, logger })
    app.post('/', async (_request, reply) => {
      reply.removeHeader('X-Gone')
      return { ok: true }
    })
    const seen = []
    for (let turn = 0; turn < 2; turn += 1) seen.push(await post(app, '/'))
    const refused = await post(app, '/', { body: 'other' })
    expect(refused.status).toBe(422)
    for (const [index, answer] of [...seen, refused].entries()) {
      expect(headerOf(answer, 'X-Request')).toBe(String(index + 1))
      expect(headerOf(answer, 'Access-Control-Allow-Origin')).toBe('https://shop.example')
      expect(headerOf(answer, 'Access-Control-Expose-Headers')).toMatch(/Idempotent-Replayed/)
    }
    expect(warnings).toEqual([])
  })

  it('warns when CORS headers come behind it', async () => {
    const { logger, warnings } = collectingLogger()
    const app = await guarded({ logger })
    app.addHook(
      'preHandler',
      async (_request, reply) => void reply.header('Access-Control-Allow-Origin', '*'),
    )
    app.post('/', async () => 'ok')
    await post(app, '/')
    expect(warnings).toEqual([expect.stringContaining('cors-after')])
  })

  it('records the answers of the error handler, of validation and of a route that is not there', async () => {
    const app = await guarded()
    let runs = 0
    app.setErrorHandler(async (error: Error, _request, reply) => {
      runs += 1
      return reply.code(418).send({ said: error.message })
    })
    app.post('/throws', async () => {
      throw new Error('after the charge')
    })
    app.post('/valid', { schema: { body: { type: 'object' } } }, async () => 'ok')
    for (const [target, status] of [
      ['/throws', 418],
      ['/valid', 418],
      ['/none', 404],
    ] as const) {
      for (let turn = 0; turn < 2; turn += 1) {
        const answer = await post(app, target)
        expect([target, answer.status]).toEqual([target, status])
        expect(linesOf(answer, 'Idempotent-Replayed')).toHaveLength(turn)
      }
    }
    expect(runs).toBe(2)
  })

  it('leaves a tombstone where a stream breaks off', async () => {
    const app = await guarded()
    app.post('/', async (_request, reply) =>
      reply.send(
        Readable.from(
          (async function* () {
            yield 'begun'
            throw new Error('lost')
          })(),
          { objectMode: false },
        ),
      ),
    )
    await expect(post(app, '/')).rejects.toThrow(/closed/i)
    expect((await post(app, '/')).body.toString()).toMatch(/response-not-kept/)
  })
})

describe('respond', () => {
  const respond: FastifyIdempotencyOptions['respond'] = (problem, request, reply) =>
    reply.code(problem.status).send({ error: problem.code, url: request.url })

  it('answers through the reply', async () => {
    const app = await guarded({ required: true, respond })
    app.addHook('onSend', async (_request, reply) => void reply.header('X-Sent', 'by Fastify'))
    app.post('/', async () => 'never')
    const answer = await app.inject({ method: 'POST', url: '/' })
    expect([answer.statusCode, answer.json(), answer.headers['x-sent']]).toEqual([
      400,
      { error: 'missing-key', url: '/' },
      'by Fastify',
    ])
  })

  it('carries Retry-After', async () => {
    const store = storeWith(memoryStore(), { claim: () => Promise.reject(new Error('down')) })
    const app = await guarded({ store, respond })
    app.post('/', async () => 'never')
    const answer = await post(app, '/')
    expect([answer.status, headerOf(answer, 'Retry-After')]).toEqual([503, '1'])
  })

  it('tells nothing of a run whose lease was lost', async () => {
    const options = { scope: false, store: memoryStore(), recovery: 'rerun', lease: 20 } as const
    const hung = await guarded({ ...options, respond, clock: stoppedProcessClock })
    const [running, gate] = [deferred(), deferred()]
    hung.addHook('onRequest', async (_request, reply) => void reply.header('X-Outer', 'o'))
    hung.post('/', async (_request, reply) => {
      running.resolve()
      await gate.promise
      return reply.header('X-Secret', 's').type('text/csv').send('late, and wrong')
    })
    const alive = await guarded(options)
    alive.post('/', async () => 'winner')
    const late = post(hung, '/')
    await running.promise
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect((await post(alive, '/')).body.toString()).toBe('winner')
    gate.resolve()
    const answer = await late
    expect([answer.status, answer.body.toString()]).toEqual([409, '{"error":"outcome-unknown","url":"/"}'])
    expect(linesOf(answer, 'X-Secret')).toEqual([])
    expect(headerOf(answer, 'X-Outer')).toBe('o')
    expect(headerOf(answer, 'Content-Type')).toMatch(/^application\/json/)
  })
})

it('closes with the instance', async () => {
  let closed = 0
  const inner = memoryStore()
  const store = { ...storeWith(inner, {}), close: async () => void (closed += 1) }
  const app = await guarded({ store })
  app.post('/', async () => 'ok')
  await post(app, '/')
  await app.close()
  expect(closed).toBe(1)
})
