import cors from 'cors'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import { describe, expect, it } from 'vitest'
import { type ExpressOptions, idempotency } from '../../src/adapters/express.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { deferred } from '../support/deferred.ts'
import { type CountedApp, countedApp, guard, send } from '../support/express-app.ts'
import { expressVersions, serve } from '../support/express.ts'
import { headerOf, jsonOf } from '../support/raw-http.ts'
import { countingStore } from '../support/stores.ts'

for (const version of expressVersions) {
  const { name, express } = version
  const app = (...middleware: RequestHandler[]): Promise<CountedApp> => countedApp(version, ...middleware)

  describe(name, () => {
    describe('errors', () => {
      it('replays what the error handler answered to next(error), a throw and a rejection', async () => {
        const root = express()
        let runs = 0
        root.use(guard())
        root.post('/next', (_req, _res, next) => {
          runs += 1
          next(Object.assign(new Error('declined'), { status: 402 }))
        })
        root.post('/throw', () => {
          runs += 1
          throw Object.assign(new Error('declined'), { status: 402 })
        })
        root.post('/reject', async (_req, _res, next) => {
          runs += 1
          const error = Object.assign(new Error('declined'), { status: 402 })
          // Only Express 5 takes a rejection for an error.
          if (name === 'Express 5') throw error
          next(error)
        })
        root.use((error: Error & { status: number }, _req: Request, res: Response, _next: NextFunction) => {
          res.status(error.status).json({ error: error.message })
        })
        const server = await serve(root)
        for (const target of ['/next', '/throw', '/reject']) {
          for (let turn = 0; turn < 2; turn += 1) {
            const answer = await send(server, { target, key: target })
            expect(answer.status).toBe(402)
            expect(jsonOf(answer)).toEqual({ error: 'declined' })
          }
        }
        expect(runs).toBe(3)
      })

      it('passes an error of an option on to the error handler, and does not run', async () => {
        const options: Array<Partial<ExpressOptions<Request>>> = [
          { scope: thrower },
          { key: thrower },
          { fingerprint: thrower },
          { fingerprint: () => Promise.resolve('x') },
          { required: thrower },
          { methods: thrower },
          { skip: thrower },
          { retain: () => 'soon' as '1s' },
          { lease: () => -1 },
          { concurrent: thrower },
          // A program without types can return anything.
          { key: () => 7 as unknown as string },
        ]
        for (const option of options) {
          const seen: string[] = []
          const root = express()
          root.use(guard(option))
          root.use((_req, res) => void res.send('ran'))
          root.use((error: Error, _req: Request, res: Response, _next: NextFunction) => {
            seen.push(error.message)
            res.status(500).end()
          })
          const server = await serve(root)
          const answer = await send(server, option.required === undefined ? {} : { key: null })
          expect({ option, status: answer.status, seen: seen.length }).toEqual({
            option,
            status: 500,
            seen: 1,
          })
        }
      })

      it('answers in an own envelope', async () => {
        const { store } = countingStore(memoryStore())
        const server = await app(
          cors(),
          idempotency({
            scope: (req: Request) => req.header('x-user'),
            store,
            required: true,
            respond: (problem, req: Request, res: Response) =>
              void res.status(problem.status).json({ ok: false, code: problem.code, path: req.path }),
          }),
        )
        await send(server, { headers: [['X-User', 'ann']], body: 'a' })
        const answers = [
          await send(server, { key: null }),
          await send(server, { key: '"' }),
          await send(server, { target: '/no-scope' }),
          await send(server, { headers: [['X-User', 'ann']], body: 'b' }),
        ]
        expect(answers.map(({ status }) => status)).toEqual([400, 400, 500, 422])
        expect(answers.map((answer) => jsonOf(answer)['code'])).toEqual([
          'missing-key',
          'malformed-key',
          'scope-missing',
          'key-reused',
        ])
        for (const answer of answers) {
          expect(headerOf(answer, 'Content-Type')).toBe('application/json; charset=utf-8')
          expect(headerOf(answer, 'Access-Control-Expose-Headers')).toContain('Idempotent-Replayed')
        }
      })

      it('leaves a problem to the error handler, Retry-After and all', async () => {
        const gate = deferred()
        const running = deferred()
        const root = express()
        root.use(
          idempotency({
            scope: false,
            respond: (problem, _req, _res, next) => next(Object.assign(new Error(problem.detail), problem)),
          }),
        )
        root.use((_req, res) => {
          running.resolve()
          void gate.promise.then(() => res.send('first'))
        })
        root.use(
          (
            error: Error & { status: number; code: string },
            _req: Request,
            res: Response,
            _next: NextFunction,
          ) => {
            res.status(error.status).json({ failed: error.code })
          },
        )
        const server = await serve(root)
        const first = send(server, {})
        await running.promise
        const refused = await send(server, {})
        expect(refused.status).toBe(409)
        expect(jsonOf(refused)).toEqual({ failed: 'in-progress' })
        expect(headerOf(refused, 'Retry-After')).toBe('1')
        gate.resolve()
        expect((await first).body.toString()).toBe('first')
      })

      it('names problems under the base of the API’s own pages', async () => {
        const server = await app(guard({ problems: 'https://api.example/problems#' }))
        expect(jsonOf(await send(server, { key: '"' }))['type']).toBe(
          'https://api.example/problems#malformed-key',
        )
      })
    })
  })
}

function thrower(): never {
  throw new Error('option failed')
}
