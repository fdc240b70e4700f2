import type { IncomingMessage } from 'node:http'
import {
  Body,
  type CallHandler,
  type CanActivate,
  Catch,
  ConflictException,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  HttpException,
  type INestApplication,
  type NestInterceptor,
  Post,
  Redirect,
  RequestMethod,
  Res,
  UseInterceptors,
} from '@nestjs/common'
import { FileInterceptor } from '@nestjs/platform-express'
import { map, Observable, type Observable as Stream, tap } from 'rxjs'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  Idempotency,
  IdempotencyModule,
  IdempotencyService,
  Idempotent,
  type NestIdempotencyOptions,
} from '../../src/adapters/nest.ts'
import type { RequestIdempotency } from '../../src/http/request-idempotency.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { createApp, decorate } from '../support/adapters/nest.ts'
import { deferred } from '../support/deferred.ts'
import { collectingLogger } from '../support/logger.ts'
import { multipart } from '../support/multipart.ts'
import {
  exchange,
  headerOf,
  jsonOf,
  linesOf,
  type RawAnswer,
  RawConnection,
  type RawRequest,
} from '../support/raw-http.ts'
import { stoppedProcessClock } from '../support/stores.ts'

const json = [
  ['Content-Type', 'application/json'],
  ['Idempotency-Key', 'k1'],
] as const

const unkeyed = [json[0]]

it('is refused where SEARCH is no method, as on Nest 9, with a sentence that names the cure', () => {
  const { SEARCH } = RequestMethod
  Reflect.deleteProperty(RequestMethod, 'SEARCH')
  onTestFinished(() => void Object.assign(RequestMethod, { SEARCH }))
  expect(() => IdempotencyModule.forRoot({ scope: false })).toThrow(
    'hapax works on Nest 10 to 12, and this is an earlier release: upgrade Nest.',
  )
})

for (const platform of ['Express', 'Fastify'] as const) {
  const start = async (
    controller: new () => object,
    options: Partial<NestIdempotencyOptions> = {},
    prepare: (app: INestApplication) => void = () => {},
  ): Promise<INestApplication> => {
    const app = await createApp(
      platform,
      [controller],
      IdempotencyModule.forRoot({ scope: false, ...options }),
    )
    prepare(app)
    await app.listen(0, '127.0.0.1')
    onTestFinished(() => {
      app.getHttpServer().closeAllConnections()
      return app.close()
    })
    return app
  }

  describe(`Nest on ${platform}`, () => {
    it('guards the handlers that are marked, with options of their own', async () => {
      let runs = 0
      class Orders {
        marked(idempotency: RequestIdempotency) {
          runs += 1
          return { key: idempotency.key, runs }
        }
        required() {
          return 'ok'
        }
        bare() {
          runs += 1
          return { runs }
        }
      }
      decorate(Orders, 'marked', [Post('marked'), Idempotent()], [Idempotency()])
      decorate(Orders, 'required', [Post('required'), Idempotent({ required: true })])
      decorate(Orders, 'bare', [Post('bare')])
      Controller()(Orders)
      const app = await start(Orders)
      for (let turn = 0; turn < 2; turn += 1)
        expect(jsonOf(await post(app, '/marked'))).toEqual({ key: 'k1', runs: 1 })
      expect((await post(app, '/required', { headers: unkeyed })).body.toString()).toMatch(/missing-key/)
      for (let turn = 2; turn < 4; turn += 1) expect(jsonOf(await post(app, '/bare'))).toEqual({ runs: turn })
    })

    it('guards a marked controller, less a handler that says false', async () => {
      let runs = 0
      class Orders {
        one() {
          return { runs: (runs += 1) }
        }
        own() {
          return { runs: (runs += 1) }
        }
        none() {
          return { runs: (runs += 1) }
        }
      }
      decorate(Orders, 'one', [Post('one')])
      decorate(Orders, 'own', [Post('own'), Idempotent({ keep: () => 'release' })])
      decorate(Orders, 'none', [Post('none'), Idempotent(false)])
      Controller()(Orders)
      Idempotent({ required: true })(Orders)
      const app = await start(Orders)
      for (const target of ['/one', '/one', '/own', '/own', '/none', '/none'])
        await post(app, target, { key: target })
      expect(runs).toBe(5)
      expect((await post(app, '/own', { headers: unkeyed })).status).toBe(400)
    })

    it('refuses a wrong option where it is written', () => {
      expect(() => Idempotent(JSON.parse('{"retain":"long"}'))).toThrow(/retain/)
      expect(() => Idempotent(JSON.parse('{"requierd":true}'))).toThrow(/Unknown option "requierd"/)
    })

    it('takes options from a factory, and closes with the application', async () => {
      const store = memoryStore()
      class Orders {
        create() {
          return 'made'
        }
      }
      decorate(Orders, 'create', [Post('orders'), Idempotent()])
      Controller()(Orders)
      const app = await createApp(
        platform,
        [Orders],
        IdempotencyModule.forRootAsync({ useFactory: async () => ({ scope: false, store }) }),
      )
      await app.listen(0, '127.0.0.1')
      for (let turn = 0; turn < 2; turn += 1)
        expect((await post(app, '/orders')).body.toString()).toBe('made')
      const service = app.get(IdempotencyService)
      const job = () => service.run({ key: 'j', scope: 'jobs', payload: 1 }, () => 'done')
      expect([await job(), await job()]).toEqual(['done', 'done'])
      await app.close()
      await expect(job()).rejects.toMatchObject({ code: 'store-unavailable' })
    })

    it('runs behind guards: the caller is known, and a refusal is not recorded', async () => {
      let allowed = false
      const guard: CanActivate = {
        canActivate(context) {
          Object.assign(context.switchToHttp().getRequest(), { user: 'ann' })
          return allowed
        },
      }
      class Orders {
        create(idempotency: RequestIdempotency) {
          return { scope: idempotency.scope }
        }
      }
      decorate(Orders, 'create', [Post('orders'), Idempotent()], [Idempotency()])
      Controller()(Orders)
      const app = await start(
        Orders,
        { scope: (request: IncomingMessage & { user?: string }) => request.user },
        (each) => each.useGlobalGuards(guard),
      )
      const refused = await post(app, '/orders')
      expect([refused.status, linesOf(refused, 'Idempotency-Expires')]).toEqual([403, []])
      allowed = true
      expect(jsonOf(await post(app, '/orders'))).toEqual({ scope: 'ann' })
    })

    it('answers a replay once, past interceptors, @Redirect and filters for everything', async () => {
      const errors: unknown[] = []
      const emitted: unknown[] = []
      const wrapping: NestInterceptor = {
        intercept: (_context: ExecutionContext, next: CallHandler): Stream<unknown> =>
          next.handle().pipe(
            tap((value) => emitted.push(value)),
            map((value) => ({ wrapped: value ?? null })),
          ),
      }
      class CatchAll implements ExceptionFilter {
        catch(error: unknown): void {
          errors.push(error)
        }
      }
      Catch()(CatchAll)
      class Orders {
        create() {
          return 'plain'
        }
        moved() {
          return { url: '/there' }
        }
        own(response: { status(code: number): { send(body: string): void } }) {
          response.status(202).send('own')
        }
      }
      decorate(Orders, 'create', [Post('create'), Idempotent()])
      decorate(Orders, 'moved', [Post('moved'), Idempotent(), Redirect('/here', 303)])
      decorate(Orders, 'own', [Post('own'), Idempotent()], [Res()])
      Controller()(Orders)
      const app = await start(Orders, {}, (each) => {
        each.useGlobalInterceptors(wrapping)
        each.useGlobalFilters(new CatchAll())
      })
      for (let turn = 0; turn < 2; turn += 1) {
        const answer = await post(app, '/create')
        expect([answer.status, jsonOf(answer)]).toEqual([201, { wrapped: 'plain' }])
        const moved = await post(app, '/moved', { key: 'k2' })
        expect([moved.status, linesOf(moved, 'Idempotent-Replayed').length]).toEqual([303, turn])
        const own = await post(app, '/own', { key: 'k3' })
        expect([own.status, own.body.toString()]).toEqual([202, 'own'])
      }
      expect(errors).toEqual([])
      // Interceptors further out see that a replay is over.
      expect(emitted).toContain('plain')
      expect(emitted).toContain(undefined)
    })

    it('records what exception filters answer', async () => {
      let runs = 0
      class Orders {
        create() {
          runs += 1
          throw new ConflictException('sold out')
        }
      }
      decorate(Orders, 'create', [Post('orders'), Idempotent()])
      Controller()(Orders)
      const app = await start(Orders)
      for (let turn = 0; turn < 2; turn += 1) {
        const answer = await post(app, '/orders')
        expect([answer.status, jsonOf(answer)['message']]).toEqual([409, 'sold out'])
      }
      expect(runs).toBe(1)
    })

    it('finishes a handler that returned an Observable when its client leaves', async () => {
      const [running, gate] = [deferred(), deferred()]
      let runs = 0
      class Orders {
        create() {
          runs += 1
          running.resolve()
          return new Observable((subscriber) => {
            void gate.promise.then(() => {
              subscriber.next({ id: 17 })
              subscriber.complete()
            })
          })
        }
      }
      decorate(Orders, 'create', [Post('orders'), Idempotent()])
      Controller()(Orders)
      const app = await start(Orders)
      const connection = await RawConnection.open(portOf(app))
      connection.send({ target: '/orders', headers: json, body: '{"item":17}' })
      await running.promise
      connection.reset()
      await new Promise((resolve) => setTimeout(resolve, 20))
      gate.resolve()
      await expect.poll(async () => (await post(app, '/orders')).status).toBe(201)
      expect(jsonOf(await post(app, '/orders'))).toEqual({ id: 17 })
      expect(runs).toBe(1)
    })

    it('lets `respond` make the exception that filters answer', async () => {
      const [running, gate] = [deferred(), deferred()]
      class Orders {
        async create() {
          running.resolve()
          await gate.promise
          return 'ok'
        }
      }
      decorate(Orders, 'create', [Post('orders'), Idempotent()])
      Controller()(Orders)
      const app = await start(Orders, {
        respond: (problem) => new HttpException({ error: problem.code }, problem.status),
      })
      const first = post(app, '/orders')
      await running.promise
      const refused = await post(app, '/orders')
      gate.resolve()
      expect([refused.status, jsonOf(refused)]).toEqual([409, { error: 'in-progress' }])
      expect(headerOf(refused, 'Retry-After')).toMatch(/^\d+$/)
      expect((await first).status).toBe(201)
    })

    it('answers with that exception in place of a run whose lease was lost', async () => {
      const [running, gate] = [deferred(), deferred()]
      let late = true
      class Orders {
        async create() {
          if (!late) return 'winner'
          late = false
          running.resolve()
          await gate.promise
          return 'late, and wrong'
        }
      }
      decorate(Orders, 'create', [Post('orders'), Idempotent()])
      Controller()(Orders)
      const options = { store: memoryStore(), recovery: 'rerun', lease: 20 } as const
      const respond: NestIdempotencyOptions['respond'] = (problem) =>
        new HttpException({ error: problem.code }, problem.status)
      const hung = await start(Orders, { ...options, respond, clock: stoppedProcessClock })
      const alive = await start(Orders, options)
      const answer = post(hung, '/orders')
      await running.promise
      await new Promise((resolve) => setTimeout(resolve, 30))
      expect((await post(alive, '/orders')).body.toString()).toBe('winner')
      gate.resolve()
      const told = await answer
      expect([told.status, jsonOf(told)]).toEqual([409, { error: 'outcome-unknown' }])
    })

    it('warns once when the module is imported twice', async () => {
      const { logger, warnings } = collectingLogger()
      let runs = 0
      class Orders {
        create() {
          return { runs: (runs += 1) }
        }
      }
      decorate(Orders, 'create', [Post('orders'), Idempotent()])
      Controller()(Orders)
      const options = { scope: false, logger } as const
      const app = await createApp(
        platform,
        [Orders],
        IdempotencyModule.forRoot(options),
        IdempotencyModule.forRoot({ ...options, retain: '1h' }),
      )
      await app.listen(0, '127.0.0.1')
      onTestFinished(() => app.close())
      for (let turn = 0; turn < 2; turn += 1) await post(app, '/orders')
      expect(runs).toBe(1)
      expect(warnings).toEqual([expect.stringContaining('mounted-twice')])
    })
  })
}

it('compares uploads as they arrived, wherever the file interceptor stands', async () => {
  class Photos {
    upload(body: unknown) {
      return { body }
    }
  }
  decorate(
    Photos,
    'upload',
    [Post('photos'), UseInterceptors(FileInterceptor('file')), Idempotent()],
    [Body()],
  )
  Controller()(Photos)
  const app = await createApp('Express', [Photos], IdempotencyModule.forRoot({ scope: false }))
  await app.listen(0, '127.0.0.1')
  onTestFinished(() => app.close())
  const send = (request: RawRequest) =>
    exchange(portOf(app), {
      target: '/photos',
      ...request,
      headers: [['Idempotency-Key', 'k1'], ...(request.headers ?? [])],
    })
  expect((await send(multipart('one', 'file'))).status).toBe(201)
  const again = await send(multipart('two', 'file'))
  expect([again.status, jsonOf(again)]).toEqual([201, { body: { title: 'Invoice' } }])
  expect((await send(multipart('two', 'File'))).status).toBe(422)
})

function portOf(app: INestApplication): number {
  return app.getHttpServer().address().port
}

function post(
  app: INestApplication,
  target: string,
  { key = 'k1', ...request }: RawRequest & { key?: string } = {},
): Promise<RawAnswer> {
  const headers = [
    ['Content-Type', 'application/json'],
    ['Idempotency-Key', key],
  ] as const
  return exchange(portOf(app), { target, headers, body: '{"item":17}', ...request })
}
