import { gzipSync } from 'node:zlib'
import { once } from 'node:events'
import type { NextFunction, Request, RequestHandler, Response } from 'express'
import multer from 'multer'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'
import { type CountedApp, countedApp, guard, type Lines, send } from '../support/express-app.ts'
import { expressVersions } from '../support/express.ts'
import { multipart } from '../support/multipart.ts'
import { headerOf, jsonOf, type RawRequest } from '../support/raw-http.ts'
import { countingStore } from '../support/stores.ts'

const json: Lines = [['Content-Type', 'application/json']]

for (const version of expressVersions) {
  const { name, express } = version
  const app = (...middleware: RequestHandler[]): Promise<CountedApp> => countedApp(version, ...middleware)

  describe(name, () => {
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

      it('does not wait for an empty chunked body that has arrived before it', async () => {
        const lookedUp: RequestHandler = (_req, _res, next) => void setTimeout(next, 20)
        const server = await app(lookedUp, guard(), express.json())
        for (let turn = 0; turn < 2; turn += 1) expect((await send(server, { chunks: [] })).status).toBe(201)
        expect(server.runs()).toBe(1)
      })

      it('does not mind a parser before it that found no body', async () => {
        const server = await app(express.json(), guard())
        expect((await send(server, {})).status).toBe(201)
        expect((await send(server, { body: '' })).status).toBe(201)
        // One has bytes to compare and the other a value.
        expect((await send(server, { headers: json, body: '{}' })).status).toBe(409)
        expect(server.runs()).toBe(1)
      })
    })
  })
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
