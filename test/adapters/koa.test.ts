import { Readable } from 'node:stream'
import Koa from 'koa'
import koa2 from 'koa2'
import { describe, expect, it, onTestFinished } from 'vitest'
import { idempotency, type KoaOptions } from '../../src/adapters/koa.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { listen } from '../support/adapters/serve.ts'
import { deferred } from '../support/deferred.ts'
import { collectingLogger } from '../support/logger.ts'
import { exchange, headerOf, jsonOf, linesOf, type RawAnswer, RawConnection } from '../support/raw-http.ts'
import { stoppedProcessClock } from '../support/stores.ts'

interface Server {
  readonly port: number
}

for (const [name, Application] of Object.entries({ 'Koa 2': koa2, 'Koa 3': Koa })) {
  const serve = async (...middleware: Koa.Middleware[]): Promise<Server> => {
    const app = new Application()
    app.silent = true
    for (const each of middleware) app.use(each)
    const callback = app.callback()
    const server = await listen((request, response) => void callback(request, response))
    onTestFinished(() => server.close())
    return server
  }
  const guard = (options: Partial<KoaOptions<Koa.Context>> = {}): Koa.Middleware =>
    idempotency<Koa.Context>({ scope: false, ...options })

  describe(name, () => {
    it('sets ctx.idempotency, and compares the URL that the client sent', async () => {
      const server = await serve(
        async (ctx, next) => {
          ctx.url = '/rewritten'
          await next()
        },
        guard(),
        (ctx) => void (ctx.body = { key: ctx.idempotency.key, url: ctx.url }),
      )
      expect(jsonOf(await post(server, '/a'))).toEqual({ key: 'k1', url: '/rewritten' })
      expect((await post(server, '/b')).status).toBe(422)
    })

    it('lets middleware further out see a replay, and keeps Koa from answering it again', async () => {
      const seen: unknown[] = []
      let runs = 0
      const server = await serve(
        async (ctx, next) => {
          await next()
          seen.push(ctx.status)
        },
        guard(),
        (ctx) => {
          runs += 1
          ctx.status = 201
          ctx.body = 'made'
        },
      )
      for (let turn = 0; turn < 2; turn += 1) expect((await post(server)).body.toString()).toBe('made')
      expect([seen, runs]).toEqual([[201, 201], 1])
    })

    it('warns once when it is used twice, or when the answer has begun', async () => {
      const twice = collectingLogger()
      const server = await serve(guard({ logger: twice.logger }), guard({ logger: twice.logger }), answerOk)
      for (let turn = 0; turn < 2; turn += 1) await post(server)
      expect(twice.warnings).toEqual([expect.stringContaining('mounted-twice')])
      const late = collectingLogger()
      const begun = await serve(
        async (ctx, next) => {
          ctx.respond = false
          ctx.res.write('begun ')
          await next()
        },
        guard({ logger: late.logger }),
        (ctx) => void ctx.res.end('and done'),
      )
      expect((await post(begun)).body.toString()).toBe('begun and done')
      expect(late.warnings).toEqual([expect.stringContaining('response-began')])
    })

    it('says what to do when the caller is not known yet, and warns of CORS headers behind it', async () => {
      const unknown = await serve(guard({ scope: (ctx) => ctx.state['user'] }), answerOk)
      expect((await post(unknown)).body.toString()).toMatch(/mount hapax after authentication/)
      const { logger, warnings } = collectingLogger()
      const late = await serve(guard({ logger }), (ctx) => {
        ctx.set('Access-Control-Allow-Origin', '*')
        ctx.body = 'ok'
      })
      await post(late)
      expect(warnings).toEqual([expect.stringContaining('cors-after')])
    })

    it('records a 404 of a route that nobody answers, and what Koa makes of an error', async () => {
      const nobody = await serve(guard())
      for (let turn = 0; turn < 2; turn += 1) {
        const answer = await post(nobody)
        expect([answer.status, answer.body.toString()]).toEqual([404, 'Not Found'])
        expect(linesOf(answer, 'Idempotent-Replayed')).toHaveLength(turn)
      }
      let runs = 0
      const broken = await serve(guard(), (ctx) => {
        runs += 1
        ctx.throw(402, 'declined')
      })
      for (let turn = 0; turn < 2; turn += 1) {
        const answer = await post(broken)
        expect([answer.status, answer.body.toString()]).toEqual([402, 'declined'])
      }
      expect(runs).toBe(1)
    })

    it('records the whole answer where the socket has ended and nobody was told yet', async () => {
      const server = await serve(guard(), (ctx) => {
        // As Node ends it on a client's FIN, some turns before `close`.
        ctx.req.socket.end()
        ctx.status = 201
        ctx.body = { id: 17 }
      })
      await post(server, '/a').catch(() => {})
      const retried = await post(server, '/a')
      expect([retried.status, jsonOf(retried)]).toEqual([201, { id: 17 }])
      expect(linesOf(retried, 'Idempotent-Replayed')).toEqual(['true'])
    })

    it('leaves a tombstone for a stream whose client has left: Koa destroys it', async () => {
      const gone = deferred()
      let runs = 0
      const server = await serve(guard(), (ctx) => {
        runs += 1
        ctx.body = Readable.from(
          (async function* () {
            yield Buffer.from('begun')
            await gone.promise
            yield Buffer.from('done')
          })(),
        )
      })
      const connection = await RawConnection.open(server.port)
      connection.send({ headers: [['Idempotency-Key', 'k1']], body: 'x' })
      await connection.until('the first chunk', (got) => (got.includes('begun') ? true : undefined))
      connection.reset()
      await new Promise((resolve) => setTimeout(resolve, 20))
      gone.resolve()
      await expect
        .poll(async () => jsonOf(await post(server)))
        .toMatchObject({ code: 'response-not-kept', originalStatus: 200 })
      expect(runs).toBe(1)
    })

    it('answers with `respond` through ctx, with Retry-After', async () => {
      const running = deferred()
      const gate = deferred()
      const server = await serve(
        guard({
          async respond(problem, ctx) {
            await Promise.resolve()
            ctx.status = problem.status
            ctx.body = { error: problem.code }
          },
        }),
        async (ctx) => {
          running.resolve()
          await gate.promise
          ctx.body = 'ok'
        },
      )
      const first = post(server)
      await running.promise
      const refused = await post(server)
      gate.resolve()
      expect([refused.status, jsonOf(refused)]).toEqual([409, { error: 'in-progress' }])
      expect(headerOf(refused, 'Retry-After')).toMatch(/^\d+$/)
      expect((await first).status).toBe(200)
    })

    it('answers with `respond` in place of a run whose lease was lost', async () => {
      const options = { store: memoryStore(), recovery: 'rerun', lease: 20 } as const
      const [running, gate] = [deferred(), deferred()]
      const hung = await serve(
        guard({
          ...options,
          clock: stoppedProcessClock,
          respond(problem, ctx) {
            ctx.status = problem.status
            ctx.body = { error: problem.code }
          },
        }),
        async (ctx) => {
          running.resolve()
          await gate.promise
          ctx.set('X-Secret', 's')
          ctx.type = 'text/csv'
          ctx.body = 'late, and wrong'
        },
      )
      const alive = await serve(guard(options), answerOk)
      const late = post(hung)
      await running.promise
      await new Promise((resolve) => setTimeout(resolve, 30))
      expect((await post(alive)).status).toBe(200)
      gate.resolve()
      const answer = await late
      expect([answer.status, jsonOf(answer)]).toEqual([409, { error: 'outcome-unknown' }])
      expect(linesOf(answer, 'X-Secret')).toEqual([])
      expect(headerOf(answer, 'Content-Type')).toMatch(/^application\/json/)
    })
  })
}

function answerOk(ctx: Koa.Context): void {
  ctx.body = 'ok'
}

function post(server: Server, target = '/'): Promise<RawAnswer> {
  return exchange(server.port, { target, headers: [['Idempotency-Key', 'k1']], body: 'x' })
}
