import { gunzipSync, gzipSync } from 'node:zlib'
import { once } from 'node:events'
import compression from 'compression'
import cors from 'cors'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import morgan from 'morgan'
import multer from 'multer'
import { describe, expect, it } from 'vitest'
import { type ExpressOptions, idempotency } from '../../src/adapters/express.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { deferred, eventually } from '../support/deferred.ts'
import { expressVersions, serve, type RunningServer } from '../support/express.ts'
import { collectingLogger } from '../support/logger.ts'
import { exchange, headerOf, jsonOf, linesOf, type RawAnswer, type RawRequest } from '../support/raw-http.ts'
import { countingStore } from '../support/stores.ts'

type Lines = ReadonlyArray<readonly [string, string]>

const json: Lines = [['Content-Type', 'application/json']]

for (const { name, express } of expressVersions) {
  describe(name, () => {
    /** A server whose middleware stands in the order given, before a handler that counts its runs. */
    async function app(
      ...middleware: RequestHandler[]
    ): Promise<RunningServer & { runs: () => number; bodies: unknown[] }> {
      const create = express()
      create.set('env', 'test')
      const bodies: unknown[] = []
      for (const step of middleware) create.use(step)
      create.use((req, res) => {
        bodies.push(req.body)
        res.status(201).json({ run: bodies.length })
      })
      return { ...(await serve(create)), runs: () => bodies.length, bodies }
    }

    const guard = (options: Partial<ExpressOptions<Request>> = {}): RequestHandler =>
      idempotency<Request>({ scope: false, ...options })

    describe('body parsers', () => {
      const jsonBody = (body: string): RawRequest => ({ headers: json, body })
      const requests: Record<
        string,
        { parser: RequestHandler; first: RawRequest; same: RawRequest; other: RawRequest; value: unknown }
      > = {
        'express.json()': {
          parser: express.json(),
          first: jsonBody('{"a":1,"b":2}'),
          same: jsonBody('{ "b": 2, "a": 1 }'),
          other: jsonBody('{"a":2,"b":2}'),
          value: { a: 1, b: 2 },
        },
        'express.json() and gzip': {
          parser: express.json(),
          first: { headers: [...json, ['Content-Encoding', 'gzip']], body: gzipSync('{"a":1}') },
          same: jsonBody('{"a":1}'),
          other: { headers: [...json, ['Content-Encoding', 'gzip']], body: gzipSync('{"a":2}') },
          value: { a: 1 },
        },
        'express.urlencoded()': {
          parser: express.urlencoded({ extended: false }),
          first: { headers: [['Content-Type', 'application/x-www-form-urlencoded']], body: 'a=1&b=2' },
          same: { headers: [['Content-Type', 'application/x-www-form-urlencoded']], body: 'a=1&b=2' },
          other: { headers: [['Content-Type', 'application/x-www-form-urlencoded']], body: 'a=1&b=3' },
          value: expect.objectContaining({ a: '1', b: '2' }),
        },
        'express.text()': {
          parser: express.text(),
          first: { headers: [['Content-Type', 'text/plain']], body: 'one' },
          same: { headers: [['Content-Type', 'text/plain; charset=utf-8']], body: 'one' },
          other: { headers: [['Content-Type', 'text/plain']], body: 'two' },
          value: 'one',
        },
        'express.raw()': {
          parser: express.raw(),
          first: { headers: [['Content-Type', 'application/octet-stream']], body: Buffer.from([0, 255]) },
          same: { headers: [['Content-Type', 'application/octet-stream']], body: Buffer.from([0, 255]) },
          other: { headers: [['Content-Type', 'application/octet-stream']], body: Buffer.from([0, 254]) },
          value: Buffer.from([0, 255]),
        },
      }

      for (const order of ['before', 'after'] as const) {
        it.for(Object.entries(requests))(
          `%s ${order} hapax`,
          async ([, { parser, first, same, other, value }]) => {
            const server = await app(...(order === 'before' ? [parser, guard()] : [guard(), parser]))
            expect((await send(server, first)).status).toBe(201)
            expect((await send(server, same)).status).toBe(201)
            expect((await send(server, other)).status).toBe(422)
            expect(server.bodies).toEqual([value])
          },
        )
      }

      it('gives an empty chunked body to whoever listens for its end', async () => {
        const listener: RequestHandler = (req, res, next) => {
          let bytes = 0
          req.on('data', (chunk: Buffer) => (bytes += chunk.length))
          req.on('end', () => {
            res.set('X-Bytes', String(bytes))
            next()
          })
        }
        const server = await app(guard(), listener)
        expect(headerOf(await send(server, { chunks: [] }), 'X-Bytes')).toBe('0')
        expect(headerOf(await send(server, { key: 'k2', chunks: ['ab', 'c'] }), 'X-Bytes')).toBe('3')
        expect(headerOf(await send(server, { key: 'k3' }), 'X-Bytes')).toBe('0')
      })

      it('lets the handler read its body as a stream', async () => {
        const reader: RequestHandler = (req, res, next) => {
          void (async () => {
            let bytes = 0
            for await (const chunk of req) bytes += (chunk as Buffer).length
            res.set('X-Bytes', String(bytes))
            next()
          })()
        }
        const server = await app(guard(), reader)
        const answer = await send(server, { body: Buffer.alloc(300_000, 'x') })
        expect(headerOf(answer, 'X-Bytes')).toBe('300000')
      })

      it('hands an upload to multer behind it, file and all', async () => {
        const upload = multer({ storage: multer.memoryStorage() })
        const server = await app(guard(), upload.single('file'), (req, res, next) => {
          res.set('X-File', `${req.file?.originalname} ${req.file?.buffer.toString('hex')}`)
          next()
        })
        const first = await send(server, multipart('one', '\u0000\u0001file'))
        expect(headerOf(first, 'X-File')).toBe(`a.bin ${Buffer.from('\u0000\u0001file').toString('hex')}`)
        expect((await send(server, multipart('two', '\u0000\u0001file'))).status).toBe(201)
        expect((await send(server, multipart('one', '\u0000\u0002file'))).status).toBe(422)
        expect(server.bodies).toEqual([expect.objectContaining({ title: 'Invoice' })])
      })

      it.for([
        ['multer', multer().single('file'), multipart('one', 'file')],
        ['a middleware that reads and keeps nothing', drain, { headers: json, body: '{"a":1}' }],
        [
          'a middleware that reads another type than the parser',
          [express.json(), drain],
          { headers: [['Content-Type', 'application/xml']], body: '<a/>' },
        ],
        ['a middleware that began to read', readSome, { body: Buffer.alloc(200_000, 'x') }],
      ] as Array<[string, RequestHandler | RequestHandler[], RawRequest]>)(
        'refuses to run when %s read the body before',
        async ([, before, request]) => {
          const { store, total } = countingStore(memoryStore())
          const server = await app(...[before].flat(), guard({ store }))
          const answer = await send(server, request)
          expect(answer.status).toBe(500)
          expect(jsonOf(answer)).toMatchObject({ code: 'body-consumed' })
          expect(jsonOf(answer)['detail']).toContain('mount hapax before it')
          expect(server.runs()).toBe(0)
          expect(total()).toBe(0)
        },
      )

      it('does not mind a parser before it that found no body', async () => {
        const server = await app(express.json(), guard())
        expect((await send(server, {})).status).toBe(201)
        expect((await send(server, { body: '' })).status).toBe(201)
        // One has bytes to compare and the other a value.
        expect((await send(server, { headers: json, body: '{}' })).status).toBe(409)
        expect(server.runs()).toBe(1)
      })
    })

    describe('mounts', () => {
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

/** One POST; with the key `k1` where the request names none, and without any for `null`. */
function send(
  server: { readonly port: number },
  { key = 'k1', headers = [], ...request }: RawRequest & { readonly key?: string | null },
): Promise<RawAnswer> {
  const keyLines: Lines = key === null ? [] : [['Idempotency-Key', key]]
  return exchange(server.port, { ...request, headers: [...keyLines, ...headers] })
}

function drain(req: Request, _res: Response, next: NextFunction): void {
  req.resume()
  void once(req, 'end').then(() => next())
}

function readSome(req: Request, _res: Response, next: NextFunction): void {
  req.once('readable', () => {
    req.read(10)
    next()
  })
}

function thrower(): never {
  throw new Error('option failed')
}

function multipart(boundary: string, file: string): RawRequest {
  const parts = [
    'Content-Disposition: form-data; name="title"\r\n\r\nInvoice',
    `Content-Disposition: form-data; name="file"; filename="a.bin"\r\nContent-Type: application/octet-stream\r\n\r\n${file}`,
  ]
  const body = `${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--\r\n`
  return { headers: [['Content-Type', `multipart/form-data; boundary=${boundary}`]], body }
}
