import { createReadStream, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { PassThrough, Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Request, Response } from 'express'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ExpressOptions } from '../../../src/adapters/express.ts'
import { memoryStore } from '../../../src/stores/memory.ts'
import { deferred, eventually } from '../../support/deferred.ts'
import {
  type ExpressVersion,
  expressVersions,
  type RunningServer,
  serveGuarded,
} from '../../support/express.ts'
import { exchange, jsonOf, RawConnection, type RawAnswer } from '../../support/raw-http.ts'
import { storeWith } from '../../support/stores.ts'

const keyed = { headers: [['Idempotency-Key', 'k1']] as const, body: 'x' }
const folder = mkdtempSync(join(tmpdir(), 'hapax-files-'))
const largeFile = join(folder, 'large.bin')
const large = Buffer.alloc(6 * 1024 * 1024, 'f')
writeFileSync(largeFile, large)

for (const version of expressVersions) {
  describe(version.name, () => {
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

    it('leaves a tombstone with the status when a large answer comes after the client left', async () => {
      const running = deferred()
      const gate = deferred()
      let runs = 0
      const server = await serveGuarded(
        version,
        async (req, res) => {
          runs += 1
          running.resolve()
          await gate.promise
          res.status(201).location('/orders/17')
          if (req.path === '/write') res.write(large)
          else res.send(large)
        },
        { maxResponseBytes: 1_000 },
      )
      for (const target of ['/write', '/send']) {
        const connection = await RawConnection.open(server.port)
        const request = { ...keyed, target, headers: [['Idempotency-Key', target]] as const }
        connection.send(request)
        await running.promise
        await eventually('the handler to run', () => runs > 0)
        connection.reset()
        await sleep(20)
        gate.resolve()
        await sleep(20)
        expect(jsonOf(await exchange(server.port, request))).toMatchObject({
          code: 'response-not-kept',
          originalStatus: 201,
          location: '/orders/17',
          reason: 'too-large',
        })
      }
      expect(runs).toBe(2)
    })

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

    describe('a handler that gives up its answer leaves a tombstone', () => {
      const endings: Record<string, (res: Response) => unknown> = {
        'res.destroy()': (res) => {
          res.destroy()
          res.write('at once')
        },
        'res.destroy(error)': (res) => res.destroy(new Error('no more')),
        'a pipeline whose source fails': (res) =>
          pipeline(async function* () {
            yield Buffer.from('more')
            throw new Error('source failed')
          }, res).catch(() => {}),
        'an error after the head': () => {
          throw new Error('too late')
        },
      }
      it.for(Object.entries(endings))('%s, with the client there', async ([, give]) => {
        let runs = 0
        const notes: unknown[] = []
        const server = await serveGuarded(version, async (_req, res) => {
          runs += 1
          for (const event of ['finish', 'error']) res.on(event, () => notes.push(event))
          res.status(201).location('/orders/17').write('begun')
          await sleep(5)
          await give(res)
          // Late writes of a handler that does not look must not bring the process down.
          res.write('late')
          res.end('late')
        })
        const connection = await RawConnection.open(server.port)
        connection.send(keyed)
        await connection.closed()
        expect(connection.received.includes('begun')).toBe(true)
        expect(connection.received.includes('\r\n0\r\n')).toBe(false)
        expect(jsonOf(await retry(server))).toMatchObject({
          code: 'response-not-kept',
          originalStatus: 201,
          location: '/orders/17',
          reason: 'cut-short',
        })
        expect(runs).toBe(1)
        expect(notes).toEqual([])
        await server.drained()
      })

      it.for(Object.entries(endings))('%s, after the client left', async ([, give]) => {
        const notes: unknown[] = []
        // Slow, so that there is a time between giving up and its record.
        const store = storeWith(memoryStore(), { complete: () => sleep(10) })
        const { server, runs } = await hungUpOn(
          version,
          async (_req, res) => {
            for (const event of ['finish', 'error']) res.on(event, () => notes.push(event))
            res.status(201).location('/orders/17').write(large)
            await new Promise((resolve) => res.req.socket.once('close', resolve))
            await sleep(5)
            await give(res)
            res.write('late')
            res.end('late')
          },
          { store },
        )
        expect(jsonOf(await retry(server))).toMatchObject({
          code: 'response-not-kept',
          originalStatus: 201,
          reason: 'cut-short',
        })
        expect(runs()).toBe(1)
        expect(notes).toEqual([])
        await server.drained()
      })

      it('res.destroy() before the head', async () => {
        let runs = 0
        const server = await serveGuarded(version, (_req, res) => {
          runs += 1
          res.destroy()
        })
        const connection = await RawConnection.open(server.port)
        connection.send(keyed)
        await connection.closed()
        expect(jsonOf(await retry(server))).toMatchObject({ code: 'response-not-kept', originalStatus: 500 })
        expect(runs).toBe(1)
        await server.drained()
      })
    })

    it('leaves a tombstone when the app cuts the connection of an answer that has begun', async () => {
      const server = await serveGuarded(version, (req, res) => {
        res.status(201).write('begun')
        setTimeout(() => req.socket.destroy(), 5)
      })
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await connection.closed()
      expect(jsonOf(await retry(server))).toMatchObject({ code: 'response-not-kept', originalStatus: 201 })
      await server.drained()
    })

    it('records the answer of a handler whose connection a time-out cut', async () => {
      const cut = deferred()
      let runs = 0
      const server = await serveGuarded(version, async (req, res) => {
        runs += 1
        res.status(201).write('a')
        req.socket.setTimeout(30)
        req.socket.once('close', () => cut.resolve())
        await cut.promise
        await sleep(5)
        res.end('b')
      })
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await connection.closed()
      const retried = await retry(server)
      expect(retried.status).toBe(201)
      expect(retried.body.toString()).toBe('ab')
      expect(runs).toBe(1)
    })

    it('records the answer of a handler whose connection was cut before the head', async () => {
      let runs = 0
      const server = await serveGuarded(version, async (req, res) => {
        runs += 1
        req.socket.destroy()
        await sleep(10)
        res.status(201).json({ run: runs })
      })
      const connection = await RawConnection.open(server.port)
      connection.send(keyed)
      await connection.closed()
      expect(jsonOf(await retry(server))).toEqual({ run: 1 })
      expect(runs).toBe(1)
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

type Outcome = { kind: 'returned' } | { kind: 'threw'; error: unknown }

/** Runs `handler` for a client that reads nothing and hangs up once the answer has begun. */
async function hungUpOn(
  version: ExpressVersion,
  handler: (req: Request, res: Response) => unknown,
  options: Partial<ExpressOptions<Request>> = {},
  onGone: () => void = () => {},
): Promise<{ run: ReturnType<typeof deferred<Outcome>>; server: RunningServer; runs: () => number }> {
  const run = deferred<Outcome>()
  let runs = 0
  const server = await serveGuarded(
    version,
    async (req, res) => {
      runs += 1
      try {
        await handler(req, res)
        run.resolve({ kind: 'returned' })
      } catch (error) {
        run.resolve({ kind: 'threw', error })
        throw error
      }
    },
    { maxResponseBytes: 64 * 1024 * 1024, ...options },
  )
  const connection = await RawConnection.open(server.port)
  connection.send(keyed)
  await connection.until('the head', (received) => (received.includes('\r\n\r\n') ? true : undefined))
  connection.pause()
  await sleep(40)
  connection.reset()
  await sleep(20)
  onGone()
  return { run, server, runs: () => runs }
}

/** Retries as a client does, until the key is no longer in progress. */
async function retry(server: RunningServer): Promise<RawAnswer> {
  let answer = await exchange(server.port, keyed)
  await eventually('the run to end', async () => {
    const inProgress = answer.status === 409 && jsonOf(answer)['code'] === 'in-progress'
    if (inProgress) answer = await exchange(server.port, keyed)
    return !inProgress
  })
  return answer
}
