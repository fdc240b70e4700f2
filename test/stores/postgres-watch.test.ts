// How a duplicate that waits learns of its winner: notifications, the loss of their connection, poolers.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { startOwnPostgres, startPgBouncer } from '../../scripts/services/index.ts'
import type { ClaimRequest, HeldLease, Store } from '../../src/core/store.ts'
import { postgresStore, type PostgresStoreOptions } from '../../src/stores/postgres.ts'
import { pools } from '../support/postgres-clients.ts'
import { placeOf } from '../support/postgres-places.ts'
import { servers } from '../support/servers.ts'
import { answer, requestFor } from './requests.ts'

const server = await servers(() => startOwnPostgres())
if (server !== undefined) {
  afterAll(() => server.stop())
  const bouncer = await servers(() => startPgBouncer(server.url))
  afterAll(async () => bouncer?.stop())
  const { pool, schema } = placeOf(server.url)
  const silence = ['postgres-forgets'] as const
  const other = postgresStore(pool, { schema, silence, watch: 'poll' })
  afterAll(() => other.close())

  const listeners = async () => {
    const { rows } = await pool.query<{ pid: number; query: string }>(
      `SELECT pid, query FROM pg_stat_activity WHERE query ILIKE 'listen %'`,
    )
    return rows
  }

  for (const [name, open] of Object.entries(pools)) {
    describe(name, () => {
      // Nothing but a notification may wake a watcher here.
      const listening = (options: PostgresStoreOptions = {}) => {
        const opened = open(server.url, { max: 1 })
        const store = postgresStore(opened.client, { schema, silence, pollEvery: '1h', ...options })
        return { store, close: async () => (await store.close(), opened.close()) }
      }

      test('a watcher is told of changes elsewhere, with a pool of one connection', async () => {
        const { store, close } = listening()
        const lease = await held(other, requestFor(randomUUID()))
        const rung = ringing(store, lease.id)
        await rung.live
        expect(await listeners()).toHaveLength(1)
        await other.complete(lease, answer('x'))
        await rung.next(1_000)
        await close()
        await expect.poll(listeners).toHaveLength(0)
      })

      test('the connection to listen on is opened again after the server ended it', async () => {
        const { store, close } = listening()
        const [first, second] = [
          await held(other, requestFor('1' + randomUUID())),
          await held(other, requestFor('2' + randomUUID())),
        ]
        const [rung, rungLater] = [ringing(store, first.id), ringing(store, second.id)]
        await Promise.all([rung.live, rungLater.live])
        const [{ pid } = { pid: 0 }] = await listeners()
        await pool.query('SELECT pg_terminate_backend($1)', [pid])
        await expect
          .poll(async () => (await listeners()).filter((each) => each.pid !== pid), { timeout: 8_000 })
          .toHaveLength(1)
        // What happened meanwhile nobody was told, so all look.
        await Promise.all([rung.next(3_000), rungLater.next(3_000)])
        await other.complete(second, answer('x'))
        await rungLater.next(3_000)
        await close()
      })

      test('while the connection is lost, watchers are polled for', async () => {
        const { store, close } = listening({ pollEvery: 50 })
        const lease = await held(other, requestFor(randomUUID()))
        const rung = ringing(store, lease.id)
        await rung.live
        // As often as it comes back.
        const ending = setInterval(() => {
          void pool.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'listen %'`,
          )
        }, 10)
        onTestFinished(() => clearInterval(ending))
        await sleep(200)
        const before = rung.count()
        await other.complete(lease, answer('x'))
        // From postgres.js nobody hears of the loss until a ping stays out.
        await expect.poll(rung.count, { timeout: 8_000 }).toBeGreaterThan(before)
        clearInterval(ending)
        await close()
      }, 15_000)

      if (bouncer === undefined) return

      test('a transaction pooler: works without prepared statements, polls, and says so once', async () => {
        const options = { max: 6, behindPooler: true }
        const opened = [open(bouncer.url, options), open(bouncer.url, options)]
        const warnings: string[] = []
        const logger = { warn: (message: string) => void warnings.push(message) }
        const [a, b] = opened.map(({ client }) =>
          postgresStore(client, { schema, silence, logger, pollEvery: 50 }),
        )
        if (a === undefined || b === undefined) throw new Error('unreachable')
        // Both find out at once that they hear nothing, which takes two seconds.
        await Promise.all([a, b].map((store) => ringing(store, randomUUID()).live))
        for (let round = 0; round < 3; round += 1) {
          const id = randomUUID()
          const requests = Array.from({ length: 20 }, () => requestFor(id))
          const results = await Promise.all(
            requests.map((request, index) => (index % 2 ? a : b).claim(request)),
          )
          const winner = results.findIndex(({ kind }) => kind === 'claimed')
          expect(results.filter(({ kind }) => kind === 'claimed')).toHaveLength(1)
          const rung = ringing(round % 2 ? a : b, id)
          await rung.live
          const [request, result] = [requests[winner], results[winner]]
          if (request === undefined || result?.kind !== 'claimed') throw new Error('There is no winner.')
          expect(await b.complete({ ...request, ...result, takeover: false }, answer('x'))).toBe('written')
          await rung.next(2_000)
          expect(await a.claim(requestFor(id))).toMatchObject({ kind: 'completed' })
        }
        expect(warnings).toEqual(Array(2).fill(expect.stringMatching(/postgres-unheard/)))
        await Promise.all([a.close(), b.close()])
        await Promise.all(opened.map(({ close }) => close()))
      }, 30_000)
    })
  }

  test('with watch: "poll" no connection is opened to listen on', async () => {
    const lease = await held(other, requestFor(randomUUID()))
    const rung = ringing(other, lease.id)
    await rung.live
    expect(await listeners()).toEqual([])
    await pool.query(`UPDATE "${schema}".hapax_record SET token = token + 1 WHERE id = $1`, [lease.id])
    await rung.next(2_000)
  })

  test('nothing is notified of a record that nobody waits for', async () => {
    const store = postgresStore(pool, { schema, silence })
    const lease = await held(store, requestFor(randomUUID()))
    const rung = ringing(store, lease.id)
    await rung.live
    const [{ query } = { query: '' }] = await listeners()
    const ear = new Client({ connectionString: server.url })
    await ear.connect()
    const heard: Array<string | undefined> = []
    ear.on('notification', ({ payload }) => void heard.push(payload))
    await ear.query(query)
    for (let round = 0; round < 5; round += 1) {
      const quiet = await held(store, requestFor(randomUUID()))
      await store.renew([quiet])
      await store.complete(quiet, answer('x'))
      await store.claim(requestFor(quiet.id))
      await store.inspect?.forget(quiet.id)
    }
    await store.complete(lease, answer('x'))
    await expect.poll(() => heard).toContain(lease.id)
    expect(heard.filter((payload) => payload?.startsWith('ping ') !== true)).toEqual([lease.id])
    await ear.end()
    await store.close()
  })
}

function ringing(store: Store, id: string) {
  let [count, seen] = [0, 0]
  const live = Promise.resolve(
    store.watch?.(id, () => {
      count += 1
    }),
  )
  return {
    live,
    count: () => count,
    /** Resolves when the listener was called since the last time. */
    next: async (withinMs: number) => {
      await expect.poll(() => count, { timeout: withinMs, interval: 10 }).toBeGreaterThan(seen)
      seen = count
    },
  }
}

async function held(store: Store, request: ClaimRequest): Promise<HeldLease> {
  const result = await store.claim(request)
  if (result.kind !== 'claimed') throw new Error(result.kind)
  return { ...request, token: result.token, attempt: result.attempt, takeover: result.takeover !== undefined }
}
