// What the store costs: round trips on the wire, and what it writes.
import { randomUUID } from 'node:crypto'
import { createPool, type RowDataPacket } from 'mysql2/promise'
import { afterAll, describe, expect, test } from 'vitest'
import { startMariaDb } from '../../scripts/services/index.ts'
import { idempotencyOver } from '../../src/core/idempotency.ts'
import { mysqlStore } from '../../src/stores/mysql.ts'
import { asMysql } from '../support/as-mysql.ts'
import { countRoundTrips } from '../support/round-trips.ts'
import { servers } from '../support/servers.ts'
import { answer, requestFor } from './requests.ts'
import { mustClaim } from './verbs.ts'

const server = await servers(() => startMariaDb())
if (server !== undefined) {
  afterAll(() => server.stop())

  // MySQL can't tell what stands there in the trip that tries to insert.
  for (const [name, through, tripsOfReplay] of [
    ['MariaDB', (pool: ReturnType<typeof createPool>) => pool, 1],
    ['MySQL', asMysql, 2],
  ] as const) {
    describe(`round trips to ${name}`, async () => {
      const counter = await countRoundTrips(server.port)
      const url = new URL(server.url)
      url.port = String(counter.port)
      const pool = createPool({ uri: url.href, connectionLimit: 1 })
      const during = async (work: () => Promise<unknown>) => {
        const before = counter.count()
        await work()
        return counter.count() - before
      }
      const store = mysqlStore(through(pool), { reapEvery: '1h' })
      afterAll(async () => {
        await store.close()
        await pool.end()
        await counter.close()
      })

      test(`two for a first request, ${tripsOfReplay} for a replay, a refusal, or a duplicate of what runs`, async () => {
        const own = mysqlStore(through(pool), { reapEvery: '1h' })
        const guard = idempotencyOver({ store: own }, () => own)
        const run = (key: string, payload = 'same', work = async () => ({ charged: key })) =>
          guard.run({ key, scope: false, payload }, work)
        const [key, slowKey] = [randomUUID(), randomUUID()]
        // Connects, and makes the tables.
        await run(randomUUID())

        expect(await during(() => run(key))).toBe(2)
        expect(await during(() => run(key))).toBe(tripsOfReplay)
        const other = () => expect(run(key, 'another')).rejects.toMatchObject({ code: 'key-reused' })
        expect(await during(other)).toBe(tripsOfReplay)
        let whileRunning = 0
        await run(slowKey, 'same', async () => {
          const duplicate = () => expect(run(slowKey)).rejects.toMatchObject({ code: 'in-progress' })
          whileRunning = await during(duplicate)
          return { charged: slowKey }
        })
        expect(whileRunning).toBe(tripsOfReplay)
        await guard.close()
      })

      test('one for a claim, a step, a completion, a release, and a batch of 200 renewals', async () => {
        const leases = await Promise.all(Array.from({ length: 200 }, () => mustClaim(store, randomUUID())))
        const [first, second] = leases
        if (first === undefined || second === undefined) throw new Error('unreachable')
        expect(await during(() => mustClaim(store, randomUUID()))).toBe(1)
        expect(await during(() => store.renew(leases))).toBe(1)
        const step = { state: 'begun', name: 'charge', safe: false } as const
        expect(await during(() => store.recordStep(first, step))).toBe(1)
        expect(await during(() => store.complete(first, answer('x'.repeat(5_000))))).toBe(1)
        expect(await during(() => store.release(second, { clean: true }))).toBe(1)
      })
    })
  }

  test('a replay or a refusal writes nothing, so that it waits for no disk', async () => {
    const pool = createPool(server.url)
    const store = mysqlStore(pool, { reapEvery: '1h' })
    const logged = async () => {
      const [rows] = await pool.query<RowDataPacket[]>("SHOW GLOBAL STATUS LIKE 'Innodb_lsn_current'")
      return Number(rows[0]?.['Value'])
    }
    const loggedDuring = async (work: () => Promise<unknown>) => {
      const before = await logged()
      await work()
      return (await logged()) - before
    }
    const [running, ended] = [await mustClaim(store, randomUUID()), await mustClaim(store, randomUUID())]
    const completion = await loggedDuring(() => store.complete(ended, answer('x')))
    expect(completion).toBeGreaterThan(100)
    const answers: number[] = []
    for (let window = 0; window < 5; window += 1) {
      const bytes = await loggedDuring(async () => {
        for (let round = 0; round < 30; round += 1) {
          await store.claim(requestFor(running.id))
          await store.claim(requestFor(running.id, { fingerprint: 'b1:other' }))
          await store.claim(requestFor(ended.id))
        }
      })
      answers.push(bytes)
    }
    // The server's own housekeeping only adds to a window, at times much: one write for each answer would be in all.
    expect(Math.min(...answers)).toBeLessThan(90 * 20)
    await store.close()
    await pool.end()
  })
}
