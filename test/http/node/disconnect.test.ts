import { once } from 'node:events'
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import type { Request } from 'express'
import { idempotency } from '../../../src/adapters/express.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { deferred } from '../../support/deferred.ts'
import { expressVersions, serveBare, serveGuarded } from '../../support/express.ts'
import { hungUpOn, keyed, retry } from '../../support/hang-up.ts'
import { jsonOf, RawConnection } from '../../support/raw-http.ts'
import { storeWith } from '../../support/stores.ts'

const folder = mkdtempSync(join(tmpdir(), 'hapax-files-'))
const largeFile = join(folder, 'large.bin')
const large = Buffer.alloc(6 * 1024 * 1024, 'f')
writeFileSync(largeFile, large)
afterAll(() => rmSync(folder, { recursive: true }))

for (const version of expressVersions) {
  describe(version.name, () => {
    it('hands a parser the body of a client whose socket is broken, and has not said so yet', async () => {
      const seen = deferred<unknown>()
      const broken = deferred()
      const claimed = deferred()
      // The claim is granted between the error of the socket and its `close`, which Node ends requests at.
      const store = storeWith(memoryStore(), {
        claim: async () => {
          claimed.resolve()
          await broken.promise
        },
      })
      const server = await serveBare(
        version,
        (req, res) => {
          seen.resolve(req.body)
          res.json({})
        },
        (req, _res, next) => {
          req.socket.once('error', () => broken.resolve())
          next()
        },
        idempotency<Request>({ store, scope: false }),
        version.express.json(),
      )
      const connection = await RawConnection.open(server.port)
      connection.send({
        headers: [...keyed.headers, ['Content-Type', 'application/json']],
        body: '{"item":17}',
      })
      await claimed.promise
      connection.reset()
      expect(await seen.promise).toEqual({ item: 17 })
      await server.drained()
    })

    it('finishes a pipeline of a file', async () => {
      const { run, server } = await hungUpOn(version, (_req, res) =>
        pipeline(createReadStream(largeFile), res),
      )
      expect(await run.promise).toEqual({ kind: 'returned' })
      const retried = await retry(server)
      expect(retried.status).toBe(200)
      expect(retried.body.equals(large)).toBe(true)
      await server.drained()
    })

    it('finishes a pipeline of a generator that goes on for long after', async () => {
      const { run, server } = await hungUpOn(version, (_req, res) =>
        pipeline(async function* () {
          for (let index = 0; index < 200; index += 1) {
            if (index % 50 === 0) await sleep(20)
            yield large.subarray(0, 30_000)
          }
        }, res),
      )
      expect(await run.promise).toEqual({ kind: 'returned' })
      expect((await retry(server)).body.length).toBe(200 * 30_000)
      await server.drained()
    })

    it('finishes a pipe() and its `finished`', async () => {
      const { run, server } = await hungUpOn(version, async (_req, res) => {
        createReadStream(largeFile).pipe(res)
        await finished(res)
      })
      expect(await run.promise).toEqual({ kind: 'returned' })
      expect((await retry(server)).body.length).toBe(large.length)
      await server.drained()
    })

    it('finishes a handler that waits for drain after each write', async () => {
      const { run, server } = await hungUpOn(version, async (_req, res) => {
        for (let offset = 0; offset < large.length; offset += 100_000) {
          if (!res.write(large.subarray(offset, offset + 100_000))) await once(res, 'drain')
        }
        await new Promise((resolve) => res.end(resolve))
      })
      expect(await run.promise).toEqual({ kind: 'returned' })
      expect((await retry(server)).body.length).toBe(large.length)
      await server.drained()
    })

    it('finishes a handler that begins to pipe after the client met backpressure and left', async () => {
      const gone = deferred()
      const { run, server } = await hungUpOn(
        version,
        async (_req, res) => {
          for (let offset = 0; offset < 6_000_000; offset += 1_000_000)
            res.write(large.subarray(offset, offset + 1_000_000))
          await gone.promise
          await pipeline(Readable.from([Buffer.from('more')]), new PassThrough(), res)
        },
        {},
        () => gone.resolve(),
      )
      expect(await run.promise).toEqual({ kind: 'returned' })
      expect((await retry(server)).body.length).toBe(6_000_004)
      await server.drained()
    })

    it('leaves a tombstone when sendFile is broken midway', async () => {
      const { server, runs } = await hungUpOn(version, (_req, res) => {
        res.status(201).location('/files/1')
        return new Promise((resolve) => res.sendFile(largeFile, () => resolve(undefined)))
      })
      const retried = await retry(server)
      expect(jsonOf(retried)).toMatchObject({
        code: 'response-not-kept',
        originalStatus: 201,
        location: '/files/1',
        reason: 'cut-short',
      })
      expect(runs()).toBe(1)
      await server.drained()
    })

    it('leaves a tombstone with the status when a source breaks before its first byte', async () => {
      const running = deferred()
      const source = new PassThrough()
      const server = await serveGuarded(version, (_req, res) => {
        res.status(201).location('/files/1')
        source.pipe(res)
        running.resolve()
      })
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await running.promise
      connection.reset()
      await sleep(20)
      source.destroy()
      expect(jsonOf(await retry(server))).toMatchObject({
        code: 'response-not-kept',
        originalStatus: 201,
        location: '/files/1',
      })
      await server.drained()
    })

    it('keeps a file that sendFile had read in full', async () => {
      const small = join(folder, 'small.txt')
      writeFileSync(small, 'small')
      const running = deferred()
      const gate = deferred()
      let runs = 0
      const server = await serveGuarded(version, async (_req, res) => {
        runs += 1
        running.resolve()
        await gate.promise
        res.sendFile(small)
      })
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await running.promise
      connection.reset()
      await sleep(20)
      gate.resolve()
      const retried = await retry(server)
      expect(retried.status).toBe(200)
      expect(retried.body.toString()).toBe('small')
      expect(runs).toBe(1)
      await server.drained()
    })

    it('shows the handler a response that lives, and ends it as Node does', async () => {
      const notes: unknown[] = []
      const gate = deferred()
      const running = deferred()
      const closed = deferred()
      const server = await serveGuarded(version, async (_req, res) => {
        res.on('finish', () => notes.push('finish'))
        res.on('close', () => {
          notes.push('close')
          closed.resolve()
        })
        running.resolve()
        await gate.promise
        notes.push([res.destroyed, res.closed, res.writable, res.writableNeedDrain, res.headersSent])
        res.write('a', () => notes.push('write'))
        res.end('b', () => notes.push('end'))
      })
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await running.promise
      connection.reset()
      await sleep(20)
      gate.resolve()
      await closed.promise
      expect(notes).toEqual([[false, false, true, false, false], 'write', 'end', 'finish', 'close'])
      expect((await retry(server)).body.toString()).toBe('ab')
      await server.drained()
    })

    it.for(['write', 'send'] as const)(
      'leaves a tombstone with the status when a large answer comes after the client left: %s()',
      async (method) => {
        const running = deferred()
        const gate = deferred()
        let runs = 0
        const server = await serveGuarded(
          version,
          async (_req, res) => {
            runs += 1
            running.resolve()
            await gate.promise
            res.status(201).location('/orders/17')[method](large)
          },
          { maxResponseBytes: 1_000 },
        )
        const connection = await RawConnection.open(server.port)
        connection.send(keyed)
        await running.promise
        connection.reset()
        await sleep(20)
        gate.resolve()
        expect(jsonOf(await retry(server))).toMatchObject({
          code: 'response-not-kept',
          originalStatus: 201,
          location: '/orders/17',
          reason: 'too-large',
        })
        expect(runs).toBe(1)
      },
    )

    it('lets a handler read its request as if the client were there', async () => {
      const running = deferred()
      const gate = deferred()
      const notes: unknown[] = []
      const server = await serveGuarded(version, async (req, res) => {
        req.on('aborted', () => notes.push('aborted'))
        req.on('close', () => notes.push('close'))
        req.on('error', () => notes.push('error'))
        running.resolve()
        await gate.promise
        const chunks: Buffer[] = []
        for await (const chunk of req) chunks.push(chunk as Buffer)
        notes.push([req.protocol, req.socket.readable, typeof req.socket.address])
        res.send(Buffer.concat(chunks))
      })
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await running.promise
      connection.reset()
      await sleep(20)
      expect(notes).toEqual([])
      gate.resolve()
      expect((await retry(server)).body.toString()).toBe('x')
      // The loop itself closes the stream that it has read, as it does without hapax.
      expect(notes).toEqual(['close', ['http', true, 'function']])
    })

    it('replays an error that came after the client had left', async () => {
      const running = deferred()
      const gate = deferred()
      let runs = 0
      const server = await serveGuarded(version, async () => {
        runs += 1
        running.resolve()
        await gate.promise
        throw new Error('after the charge')
      })
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await running.promise
      connection.reset()
      await sleep(10)
      gate.resolve()
      const retried = await retry(server)
      expect(retried.status).toBe(500)
      expect(runs).toBe(1)
      await server.drained()
    })

    it('leaves no listener behind on a connection that serves many requests', async () => {
      const warnings: string[] = []
      const onWarning = (warning: Error): void => void warnings.push(`${warning.name}: ${warning.message}`)
      process.on('warning', onWarning)
      onTestFinished(() => void process.off('warning', onWarning))
      const counts: number[] = []
      const server = await serveGuarded(version, (req, res) => {
        counts.push(req.socket.listenerCount('close') + req.socket.listenerCount('error'))
        void pipeline(Readable.from(['a', 'b']), res)
      })
      const connection = await RawConnection.open(server.port)
      for (let turn = 0; turn < 30; turn += 1) {
        connection.send({ headers: [['Idempotency-Key', `k${turn % 20}`]], body: 'x' })
        await connection.answer()
      }
      connection.close()
      expect(new Set(counts.slice(1)).size).toBe(1)
      expect(warnings).toEqual([])
    })
  })
}
