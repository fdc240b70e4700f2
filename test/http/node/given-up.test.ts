import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Response } from 'express'
import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../src/stores/memory.ts'
import { deferred } from '../../support/deferred.ts'
import { expressVersions, serveGuarded } from '../../support/express.ts'
import { hungUpOn, keyed, retry } from '../../support/hang-up.ts'
import { jsonOf, RawConnection } from '../../support/raw-http.ts'
import { storeWith } from '../../support/stores.ts'

const large = Buffer.alloc(6 * 1024 * 1024, 'f')

for (const version of expressVersions) {
  describe(version.name, () => {
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
  })
}
