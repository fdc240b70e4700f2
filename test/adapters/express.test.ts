import { gunzipSync } from 'node:zlib'
import compression from 'compression'
import cors from 'cors'
import type { Request, RequestHandler, Response } from 'express'
import morgan from 'morgan'
import { describe, expect, it } from 'vitest'
import { idempotency } from '../../src/adapters/express.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { deferred, eventually } from '../support/deferred.ts'
import { type CountedApp, countedApp, guard, type Lines, send } from '../support/express-app.ts'
import { expressVersions, serve } from '../support/express.ts'
import { collectingLogger } from '../support/logger.ts'
import { headerOf, jsonOf, linesOf, type RawAnswer } from '../support/raw-http.ts'

for (const version of expressVersions) {
  const { name, express } = version
  const app = (...middleware: RequestHandler[]): Promise<CountedApp> => countedApp(version, ...middleware)

  describe(name, () => {
    describe('mounts', () => {
      it('refuses to work where "app.route" is no function, as on Express 3', async () => {
        const asExpress3: RequestHandler = (req, _res, next) => {
          Object.assign(req.app, { route: '/' })
          next()
        }
        const { port, runs } = await app(asExpress3, guard())
        const answer = await send({ port }, {})
        expect(answer.status).toBe(500)
        expect(answer.body.toString()).toContain(
          'hapax works on Express 4 and 5, and this is an earlier release: upgrade Express.',
        )
        expect(runs()).toBe(0)
      })

      it('compares the URL that the client sent, in nested routers', async () => {
        const api = express.Router()
        const orders = express.Router({ mergeParams: true })
        let runs = 0
        orders.post('/', guard(), (req, res) => {
          runs += 1
          res.status(201).json({ url: req.url, original: req.originalUrl })
        })
        api.use('/:shop/orders', orders)
        const root = express()
        root.use('/v1', api)
        root.use('/v2', api)
        const server = await serve(root)
        expect((await send(server, { target: '/v1/a/orders' })).status).toBe(201)
        expect((await send(server, { target: '/v1/b/orders' })).status).toBe(422)
        expect((await send(server, { target: '/v2/a/orders' })).status).toBe(422)
        expect(jsonOf(await send(server, { target: '/v1/a/orders' }))).toEqual({
          url: '/',
          original: '/v1/a/orders',
        })
        expect(runs).toBe(1)
      })

      it('guards each of several routes with one middleware', async () => {
        const root = express()
        const middleware = guard()
        root.post('/a', middleware, (_req, res) => void res.send('a'))
        root.post('/b', middleware, (_req, res) => void res.send('b'))
        root.post('/c', (_req, res) => void res.send('c'))
        const server = await serve(root)
        expect((await send(server, { target: '/a' })).body.toString()).toBe('a')
        expect((await send(server, { target: '/b' })).status).toBe(422)
        expect(linesOf(await send(server, { target: '/c' }), 'Idempotency-Expires')).toEqual([])
      })

      it('records a 404 of a route that nobody answers', async () => {
        const root = express()
        root.set('env', 'test')
        root.use(guard())
        const server = await serve(root)
        expect((await send(server, {})).status).toBe(404)
        const again = await send(server, {})
        expect(again.status).toBe(404)
        expect(headerOf(again, 'Idempotent-Replayed')).toBe('true')
      })

      it('warns once when it is mounted twice, and guards all the same', async () => {
        const { logger, warnings } = collectingLogger()
        const server = await app(guard({ logger }), guard({ logger }))
        await send(server, {})
        await send(server, {})
        expect(server.runs()).toBe(1)
        expect(warnings).toEqual([expect.stringContaining('mounted-twice')])
      })

      it('warns once when the response began before it', async () => {
        const { logger, warnings } = collectingLogger()
        const root = express()
        root.use((_req, res, next) => {
          res.write('begun ')
          next()
        }, guard({ logger }))
        root.use((_req, res) => void res.end('and done'))
        const server = await serve(root)
        for (let turn = 0; turn < 2; turn += 1) {
          expect((await send(server, {})).body.toString()).toBe('begun and done')
        }
        expect(warnings).toEqual([expect.stringContaining('response-began')])
      })

      it('gives no warning that was silenced', async () => {
        const { logger, warnings } = collectingLogger()
        const silence = ['mounted-twice'] as const
        const server = await app(guard({ logger, silence }), guard({ logger, silence }))
        await send(server, {})
        expect(warnings).toEqual([])
      })
    })

    describe('cors', () => {
      const origin: Lines = [['Origin', 'https://shop.example']]

      it('before hapax: first answer and replay are readable by scripts, hapax’s own headers too', async () => {
        const { logger, warnings } = collectingLogger()
        const server = await app(
          cors({
            origin: /example$/,
            exposedHeaders: ['Location', 'idempotent-replayed'],
            credentials: true,
          }),
          guard({ logger }),
        )
        const first = await send(server, { headers: origin })
        const replayed = await send(server, { headers: [['Origin', 'https://other.example']] })
        for (const answer of [first, replayed]) {
          expect(headerOf(answer, 'Access-Control-Expose-Headers')).toBe(
            'Location,idempotent-replayed, Idempotency-Expires',
          )
          expect(linesOf(answer, 'Vary')).toEqual(['Origin'])
        }
        expect(headerOf(first, 'Access-Control-Allow-Origin')).toBe('https://shop.example')
        expect(headerOf(replayed, 'Access-Control-Allow-Origin')).toBe('https://other.example')
        expect(warnings).toEqual([])
      })

      it('before hapax: a refusal is readable too', async () => {
        const server = await app(cors(), guard())
        const refused = await send(server, { key: '"', headers: origin })
        expect(refused.status).toBe(400)
        expect(headerOf(refused, 'Access-Control-Allow-Origin')).toBe('*')
        expect(headerOf(refused, 'Access-Control-Expose-Headers')).toContain('Idempotency-Expires')
      })

      it('after hapax: warns once, unless silenced', async () => {
        const { logger, warnings } = collectingLogger()
        const server = await app(guard({ logger }), cors())
        for (const key of ['k1', 'k2', 'k1']) await send(server, { key, headers: origin })
        expect(warnings).toEqual([expect.stringMatching(/cors-after.*docs\/misuse\.md#cors-after/s)])

        const silenced = await app(guard({ logger, silence: ['cors-after'] }), cors())
        await send(silenced, { headers: origin })
        expect(warnings).toHaveLength(1)
      })
    })

    describe('compression', () => {
      const text = 'compressible '.repeat(2_000)
      const answerText: RequestHandler = (_req, res) => {
        res.set('X-App', '1').type('text').send(text)
      }
      const gzip: Lines = [['Accept-Encoding', 'gzip']]
      const identity: Lines = [['Accept-Encoding', 'identity']]

      function decoded(answer: RawAnswer): string {
        const coding = headerOf(answer, 'Content-Encoding')
        if (coding === undefined) return answer.body.toString()
        expect(coding).toBe('gzip')
        return gunzipSync(answer.body).toString()
      }

      for (const place of ['before', 'after'] as const) {
        it.for([
          { first: gzip, second: gzip, coded: [true, true] },
          { first: gzip, second: identity, coded: [true, false] },
          { first: identity, second: gzip, coded: [false, place === 'before'] },
          { first: gzip, second: [['Accept-Encoding', 'gzip;q=0']] as Lines, coded: [true, false] },
        ])(`${place} hapax: $first then $second`, async ({ first, second, coded }) => {
          const server = await app(
            ...(place === 'before' ? [compression(), guard()] : [guard(), compression()]),
            answerText,
          )
          const answers = [await send(server, { headers: first }), await send(server, { headers: second })]
          expect(answers.map(decoded)).toEqual([text, text])
          expect(headerOf(answers[1]!, 'Idempotent-Replayed')).toBe('true')
          expect(headerOf(answers[1]!, 'X-App')).toBe('1')
          expect(answers.map((answer) => linesOf(answer, 'Content-Encoding').includes('gzip'))).toEqual(coded)
          expect(answers.map((answer) => linesOf(answer, 'Vary'))).toEqual([
            ['Accept-Encoding'],
            ['Accept-Encoding'],
          ])
        })

        it(`${place} hapax: streams and flush() flow`, async () => {
          const gate = deferred()
          const server = await app(
            ...(place === 'before' ? [compression(), guard()] : [guard(), compression()]),
            (_req: Request, res: Response) => {
              void (async () => {
                res.type('text')
                res.write(text)
                res.flush()
                await gate.promise
                res.write(text)
                res.end()
              })()
            },
          )
          gate.resolve()
          const first = await send(server, { headers: gzip })
          const second = await send(server, { headers: gzip })
          expect([decoded(first), decoded(second)]).toEqual([text + text, text + text])
        })

        it(`${place} hapax: small answers and those without body`, async () => {
          const server = await app(
            ...(place === 'before' ? [compression(), guard()] : [guard(), compression()]),
            (req: Request, res: Response) => {
              if (req.path === '/none') res.status(204).end()
              else res.send('small')
            },
          )
          for (const target of ['/none', '/none', '/small', '/small']) {
            const answer = await send(server, { target, key: target, headers: gzip })
            expect(answer.status).toBe(target === '/none' ? 204 : 200)
            expect(answer.body.toString()).toBe(target === '/none' ? '' : 'small')
          }
        })
      }

      it('after hapax: a client that leaves gets the whole text later', async () => {
        const running = deferred()
        const gate = deferred()
        const server = await app(guard(), compression(), (_req: Request, res: Response) => {
          void (async () => {
            running.resolve()
            await gate.promise
            res.type('text').send(text)
          })()
        })
        const abort = new AbortController()
        const left = fetch(`http://127.0.0.1:${server.port}/`, {
          method: 'POST',
          headers: { 'Idempotency-Key': 'k1', 'Accept-Encoding': 'gzip' },
          signal: abort.signal,
        }).catch(() => 'left')
        await running.promise
        abort.abort()
        expect(await left).toBe('left')
        gate.resolve()
        let retried = await send(server, { headers: gzip })
        await eventually('the run to end', async () => {
          if (retried.status === 409) retried = await send(server, { headers: gzip })
          return retried.status !== 409
        })
        expect(decoded(retried)).toBe(text)
      })
    })

    it('leaves headers of layers further out to each exchange, and records what the handler made of them', async () => {
      let requests = 0
      const outer: RequestHandler = (_req, res, next) => {
        requests += 1
        res.set({ 'X-Trace': `t${requests}`, 'X-Both': 'outer', 'X-Changed': 'outer' })
        res.vary('Origin')
        next()
      }
      const server = await app(outer, guard(), (_req, res, next) => {
        res.set({ 'X-Changed': 'handler', 'X-Own': `${requests}` }).vary('Accept')
        next()
      })
      const [first, replayed] = [await send(server, {}), await send(server, {})]
      expect(server.runs()).toBe(1)
      expect([first, replayed].map((answer) => headerOf(answer, 'X-Trace'))).toEqual(['t1', 't2'])
      for (const answer of [first, replayed]) {
        expect(headerOf(answer, 'X-Both')).toBe('outer')
        expect(headerOf(answer, 'X-Changed')).toBe('handler')
        expect(headerOf(answer, 'X-Own')).toBe('1')
        expect(headerOf(answer, 'Vary')).toBe('Origin, Accept')
      }
    })

    it('works with morgan and other listeners on the end of a response', async () => {
      const lines: string[] = []
      const log = morgan(':method :status :res[content-length]', {
        stream: { write: (line) => void lines.push(line.trim()) },
      })
      const ended: string[] = []
      const server = await app(log, guard(), (_req, res, next) => {
        res.on('finish', () => ended.push('finish'))
        res.on('close', () => ended.push('close'))
        next()
      })
      await send(server, {})
      await send(server, {})
      expect(lines).toEqual(['POST 201 9', 'POST 201 9'])
      expect(ended).toEqual(['finish', 'close'])
    })

    it('keeps records in SQLite as they were', async () => {
      const store = sqliteStore(':memory:')
      const server = await app(guard({ store }), (_req, res) => {
        res.append('Link', '</2>').append('Link', '</9>').set('X-Name', 'Bj\u00f6rn \u00ff')
        res
          .status(201)
          .type('bin')
          .send(Buffer.from(Uint8Array.from({ length: 256 }, (_, index) => index)))
      })
      const [first, replayed] = [await send(server, {}), await send(server, {})]
      expect(headerOf(replayed, 'Idempotent-Replayed')).toBe('true')
      expect(replayed.body.equals(first.body)).toBe(true)
      expect(linesOf(replayed, 'Link')).toEqual(['</2>', '</9>'])
      expect(linesOf(replayed, 'X-Name')).toEqual(linesOf(first, 'X-Name'))
      expect((await send(server, { body: 'other' })).status).toBe(422)
      await store.close()
    })

    it('closes: refuses new keys, lets the running finish, and closes the store', async () => {
      const gate = deferred()
      const running = deferred()
      const store = memoryStore()
      const middleware = idempotency({ scope: false, store })
      const root = express()
      root.use(middleware)
      root.use((_req, res) => {
        running.resolve()
        void gate.promise.then(() => res.send('done'))
      })
      const server = await serve(root)
      const first = send(server, {})
      await running.promise
      const closed = middleware.close()
      const refused = await send(server, { key: 'k2' })
      expect(refused.status).toBe(503)
      expect(jsonOf(refused)).toMatchObject({ code: 'store-unavailable' })
      gate.resolve()
      expect((await first).body.toString()).toBe('done')
      await closed
      await expect(store.claim({} as never)).rejects.toMatchObject({ code: 'store-closed' })
    })

    it('runs functions beside requests, on the same records', async () => {
      const middleware = idempotency({ scope: false })
      let runs = 0
      const job = (): Promise<number> => middleware.run({ key: 'job', scope: 'jobs' }, () => (runs += 1))
      expect([await job(), await job()]).toEqual([1, 1])
      await middleware.close()
    })
  })
}
