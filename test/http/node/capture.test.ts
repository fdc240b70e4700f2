import { once } from 'node:events'
import type { Response } from 'express'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../src/stores/memory.ts'
import { deferred, eventually } from '../../support/deferred.ts'
import { expressVersions, type NodeHandler, serveBare, serveGuarded } from '../../support/express.ts'
import { exchange, jsonOf, RawConnection } from '../../support/raw-http.ts'
import { storeWith } from '../../support/stores.ts'

const keyed = { headers: [['Idempotency-Key', 'k1']] as const, body: 'x' }

/** What a handler does, and notes about what it saw; bare Express and hapax must show it the same. */
const views: Record<string, (res: Response, note: (what: unknown) => void) => unknown> = {
  'the state of the response': async (res, note) => {
    const state = (): unknown[] => [res.headersSent, res.writableEnded, res.destroyed, res.statusCode]
    note(state())
    res.status(201)
    note(state())
    res.write('a')
    note(state())
    const finished = event(res, 'finish')
    res.end()
    note(state())
    await finished
    note([...state(), res.writableFinished])
  },
  'headers after the end': async (res, note) => {
    const attempt = (change: () => unknown): void => {
      try {
        change()
        note('no error')
      } catch (error) {
        note(codeOf(error))
      }
    }
    res.end('x')
    attempt(() => res.setHeader('X-A', '1'))
    attempt(() => res.appendHeader('X-A', '1'))
    attempt(() => res.removeHeader('X-A'))
    attempt(() => res.setHeaders(new Map([['x-a', '1']])))
    attempt(() => res.writeHead(200, { 'X-A': '1' }))
    attempt(() => res.json({}))
    attempt(() => res.redirect('/'))
    note([res.getHeader('X-A'), res.hasHeader('X-A')])
    await event(res, 'finish')
    attempt(() => res.setHeader('X-A', '1'))
  },
  'headers after the first write': (res, note) => {
    res.write('a')
    try {
      res.setHeader('X-A', '1')
    } catch (error) {
      note(codeOf(error))
    }
    res.end()
  },
  'write after end': async (res, note) => {
    res.on('error', (error) => note(['error', codeOf(error)]))
    res.end('x')
    note(res.write('y', (error) => note(['callback', codeOf(error)])))
    await event(res, 'finish')
  },
  'end twice': async (res, note) => {
    res.on('error', (error) => note(['error', codeOf(error)]))
    res.end('x')
    res.end()
    res.end(() => note('second callback'))
    await event(res, 'finish')
    res.end((error?: Error) => note(['third callback', codeOf(error)]))
    await new Promise((resolve) => setTimeout(resolve, 5))
  },
  'end twice, with more to say': async (res, note) => {
    res.on('error', (error) => note(['error', codeOf(error)]))
    res.end('x')
    res.end('y', (error?: Error) => note(['callback', codeOf(error)]))
    await new Promise((resolve) => setTimeout(resolve, 5))
  },
  'the order of callbacks': async (res, note) => {
    res.on('finish', () => note('finish'))
    res.on('close', () => note('close'))
    const closed = event(res, 'close')
    res.write('a', () => note('first'))
    res.write('b', 'utf8', () => note('second'))
    res.end('c', () => note('end'))
    note('after end')
    await closed
  },
  'chunks of a wrong type': (res, note) => {
    for (const chunk of [5, {}, true, Symbol('s')]) {
      try {
        Reflect.apply(res.write, res, [chunk])
      } catch (error) {
        note(codeOf(error))
      }
    }
    res.end()
  },
  'a wrong status': (res, note) => {
    for (const status of [0, 99, 1000, 'abc', Number.NaN]) {
      try {
        Reflect.apply(res.writeHead, res, [status])
      } catch (error) {
        note([String(status), codeOf(error)])
      }
    }
    note(res.headersSent)
    res.end()
  },
  'a status that converts': (res, note) => {
    Reflect.apply(res.writeHead, res, ['201'])
    note(res.statusCode)
    res.end()
  },
  'headers that were set by writeHead': (res, note) => {
    res.writeHead(201, { 'X-A': 'a', 'X-B': ['1', '2'] })
    note([res.getHeader('x-a'), res.getHeader('x-b'), res.getHeaderNames()])
    res.end()
  },
}

for (const version of expressVersions) {
  describe(version.name, () => {
    it.for(Object.entries(views))('shows the handler %s as bare Express does', async ([, view]) => {
      const seen: Record<string, unknown[]> = { bare: [], guarded: [] }
      const done = { bare: deferred(), guarded: deferred() }
      const handler =
        (server: 'bare' | 'guarded'): NodeHandler =>
        async (_req, res) => {
          await view(res, (what) => seen[server]?.push(what))
          done[server].resolve()
        }
      const bare = await serveBare(version, handler('bare'))
      const guarded = await serveGuarded(version, handler('guarded'))
      const expected = await exchange(bare.port, keyed)
      const first = await exchange(guarded.port, keyed)
      await Promise.all([done.bare.promise, done.guarded.promise])
      expect(first.body.equals(expected.body)).toBe(true)
      expect(seen['guarded']).toEqual(seen['bare'])
    })

    it('holds a slow client’s handler back, and lets it go on with drain', async () => {
      const chunk = Buffer.alloc(256 * 1024, 'd')
      const chunks = 24
      let written = 0
      let waited = 0
      const server = await serveGuarded(
        version,
        async (_req, res) => {
          for (; written < chunks; written += 1) {
            if (!res.write(chunk)) {
              waited += 1
              await once(res, 'drain')
            }
          }
          res.end()
        },
        { maxResponseBytes: chunk.length * chunks },
      )
      const connection = await RawConnection.open(server.port)
      connection.pause()
      connection.send(keyed)
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect(written).toBeLessThan(chunks)
      connection.resume()
      const first = await connection.answer()
      expect(first.body.length).toBe(chunk.length * chunks)
      expect(waited).toBeGreaterThan(0)
      connection.close()
      const replayed = await exchange(server.port, keyed)
      expect(replayed.body.equals(first.body)).toBe(true)
    })

    it('keeps what was written, though the handler uses its buffer again', async () => {
      const server = await serveGuarded(version, async (_req, res) => {
        const buffer = Buffer.from('first')
        await new Promise((resolve) => res.write(buffer, resolve))
        buffer.fill('x')
        res.end()
      })
      expect((await exchange(server.port, keyed)).body.toString()).toBe('first')
      expect((await exchange(server.port, keyed)).body.toString()).toBe('first')
    })

    it.for([
      {
        name: 'write(all), then end()',
        write: (res: Response, body: Buffer) => {
          res.setHeader('Content-Length', body.length)
          res.write(body)
          return () => void res.end()
        },
      },
      {
        name: 'byte by byte',
        write: (res: Response, body: Buffer) => {
          res.writeHead(200, { 'Content-Length': body.length })
          for (const byte of body) res.write(Buffer.of(byte))
          return () => void res.end()
        },
      },
      {
        name: 'the last byte with end()',
        write: (res: Response, body: Buffer) => {
          res.setHeader('Content-Length', String(body.length))
          res.write(body.subarray(0, -1))
          return () => void res.end(body.subarray(-1))
        },
      },
      {
        name: 'flushHeaders() and end(all)',
        write: (res: Response, body: Buffer) => {
          res.setHeader('Content-Length', body.length)
          res.flushHeaders()
          return () => void res.end(body)
        },
      },
    ])('withholds only the last byte of a declared length: $name', async ({ write }) => {
      const body = Buffer.from('0123456789')
      const durable = deferred()
      const ended = deferred()
      const recording = deferred()
      const store = storeWith(memoryStore(), {
        async complete() {
          recording.resolve()
          await durable.promise
        },
      })
      const server = await serveGuarded(
        version,
        async (_req, res) => {
          const end = write(res, body)
          await ended.promise
          end()
        },
        { store },
      )
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await connection.until('the head', (received) => (received.includes('\r\n\r\n') ? true : undefined))
      const bodyLength = (): number =>
        connection.received.length - connection.received.indexOf('\r\n\r\n') - 4
      ended.resolve()
      await recording.promise
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(bodyLength()).toBeLessThan(body.length)
      durable.resolve()
      expect((await connection.answer()).body.equals(body)).toBe(true)
      connection.close()
    })

    it('withholds the head of an answer without body, though the handler flushes it', async () => {
      const durable = deferred()
      const recording = deferred()
      const store = storeWith(memoryStore(), {
        async complete() {
          recording.resolve()
          await durable.promise
        },
      })
      const server = await serveGuarded(
        version,
        async (_req, res) => {
          res.status(204)
          res.flushHeaders()
          await new Promise((resolve) => setTimeout(resolve, 5))
          res.end()
          res.flushHeaders()
        },
        { store },
      )
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await recording.promise
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect(connection.received.length).toBe(0)
      durable.resolve()
      expect((await connection.answer()).status).toBe(204)
      connection.close()
    })

    it('sends what goes beyond a declared length in its order', async () => {
      const handler: NodeHandler = (_req, res) => {
        res.setHeader('Content-Length', 4)
        res.setHeader('Connection', 'close')
        res.write('abcd')
        res.write('ef')
        res.end('gh')
      }
      for (const server of [await serveBare(version, handler), await serveGuarded(version, handler)]) {
        const connection = await RawConnection.open(server.port)
        connection.send(keyed)
        await connection.closed()
        expect(connection.received.toString().split('\r\n\r\n')[1]).toBe('abcdefgh')
      }
    })

    it('breaks the connection where Node refuses to send the answer, and keeps the record', async () => {
      let runs = 0
      const server = await serveGuarded(version, (_req, res) => {
        runs += 1
        res.setHeader('Trailer', 'X-T')
        res.removeHeader('Transfer-Encoding')
        res.end('x')
      })
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await connection.closed()
      expect(connection.received.length).toBe(0)
      expect((await exchange(server.port, keyed)).body.toString()).toBe('x')
      expect(runs).toBe(1)
    })

    it('lets the error handler answer where the handler named a status that is none', async () => {
      const server = await serveGuarded(version, (_req, res) => {
        res.statusCode = 99
        res.end('x')
      })
      expect((await exchange(server.port, keyed)).status).toBe(500)
      expect((await exchange(server.port, keyed)).status).toBe(500)
    })

    it('tells a client that came back of nothing but the record', async () => {
      // The answer is decided before it is durable; changes after that must not reach anyone.
      const durable = deferred()
      const store = storeWith(memoryStore(), { complete: () => durable.promise })
      const ended = deferred()
      const server = await serveGuarded(
        version,
        (_req, res) => {
          res.status(201).json({ a: 1 })
          res.statusCode = 500
          res.statusMessage = 'changed'
          ended.resolve()
        },
        { store },
      )
      const first = exchange(server.port, keyed)
      await ended.promise
      durable.resolve()
      expect((await first).status).toBe(201)
      const replayed = await exchange(server.port, keyed)
      expect(replayed.status).toBe(201)
      expect(jsonOf(replayed)).toEqual({ a: 1 })
    })

    it('serves pipelined requests in their order', async () => {
      let runs = 0
      const gate = deferred()
      const server = await serveGuarded(version, async (req, res) => {
        runs += 1
        if (req.path === '/slow') await gate.promise
        res.json({ path: req.path })
      })
      const connection = await RawConnection.open(server.port)
      connection.send({ ...keyed, target: '/slow' })
      connection.send({ target: '/quick', headers: [['Idempotency-Key', 'k2']], body: 'x' })
      await eventually('both to run', () => runs === 2)
      gate.resolve()
      expect(jsonOf(await connection.answer())).toEqual({ path: '/slow' })
      expect(jsonOf(await connection.answer())).toEqual({ path: '/quick' })
      connection.close()
    })
  })
}

/** Unlike `once`, does not reject on an error event. */
function event(res: Response, name: string): Promise<void> {
  return new Promise((resolve) => res.once(name, () => resolve()))
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error
}
