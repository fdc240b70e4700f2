// What the store costs: round trips on the wire, statements on the server, and bytes for each record.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { startPostgres } from '../../scripts/services/index.ts'
import { idempotencyOver } from '../../src/core/idempotency.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { pools } from '../support/postgres-clients.ts'
import { placeOf } from '../support/postgres-places.ts'
import { servers } from '../support/servers.ts'
import { answer, requestFor } from './requests.ts'

const server = await servers(() => startPostgres())
if (server !== undefined) {
  afterAll(() => server.stop())
  const { pool, schema } = placeOf(server.url)
  const silence = ['postgres-forgets'] as const

  for (const [name, open] of Object.entries(pools)) {
    describe(`round trips with ${name}`, () => {
      test('two for a first request, one for a replay, a refusal, or a duplicate of what runs', async () => {
        const counter = await countTrips(server.url)
        const opened = open(counter.url, { max: 1 })
        const store = postgresStore(opened.client, { schema, silence })
        const guard = idempotencyOver({ store }, () => store)
        const run = (key: string, payload = 'same', work = async () => ({ charged: key })) =>
          guard.run({ key, scope: false, payload }, work)
        // Connects, makes the tables, prepares the statements; the store asks for two settings after its first claim.
        const [warmUp, key, slowKey] = [randomUUID(), randomUUID(), randomUUID()]
        await run(warmUp)
        await run(warmUp)
        await sleep(100)

        expect(await counter.during(() => run(key))).toBe(2)
        expect(await counter.during(() => run(key))).toBe(1)
        expect(
          await counter.during(() =>
            expect(run(key, 'another')).rejects.toMatchObject({ code: 'key-reused' }),
          ),
        ).toBe(1)
        let whileRunning = 0
        await run(slowKey, 'same', async () => {
          const duplicate = () => expect(run(slowKey)).rejects.toMatchObject({ code: 'in-progress' })
          whileRunning = await counter.during(duplicate)
          return { charged: slowKey }
        })
        expect(whileRunning).toBe(1)
        await guard.close()
        await opened.close()
        counter.close()
      })

      test('one more to take a key over, once its record is released, or expired', async () => {
        const counter = await countTrips(server.url)
        const opened = open(counter.url, { max: 1 })
        const store = postgresStore(opened.client, { schema, silence })
        const [released, expired] = [requestFor(randomUUID()), requestFor(randomUUID())]
        const leaseOf = async (request: typeof released) => {
          const result = await store.claim(request)
          if (result.kind !== 'claimed') throw new Error(result.kind)
          return { ...request, ...result, takeover: false }
        }
        await store.release(await leaseOf(released), { clean: true })
        await leaseOf(expired)
        await pool.query(`UPDATE "${schema}".hapax_record SET expires_at = now() WHERE id = $1`, [expired.id])
        await store.claim(requestFor(randomUUID()))
        await sleep(100)
        // The first of each kind is prepared on the way.
        expect(await counter.during(() => leaseOf(released))).toBeGreaterThanOrEqual(2)
        expect(await counter.during(() => leaseOf(expired))).toBe(2)
        await store.close()
        await opened.close()
        counter.close()
      })

      test('one for a claim, a completion, a release, and a batch of 200 renewals', async () => {
        const counter = await countTrips(server.url)
        const opened = open(counter.url, { max: 1 })
        const store = postgresStore(opened.client, { schema, silence })
        const held = async (id: string) => {
          const request = requestFor(id)
          const result = await store.claim(request)
          if (result.kind !== 'claimed') throw new Error(result.kind)
          return { ...request, ...result, takeover: false }
        }
        const leases = await Promise.all(Array.from({ length: 200 }, () => held(randomUUID())))
        const [first, second, third] = leases
        if (first === undefined || second === undefined || third === undefined) throw new Error('unreachable')
        await store.renew(leases)
        await store.complete(first, answer('x'))
        await store.release(second, { clean: true })
        await sleep(100)

        expect(await counter.during(() => held(randomUUID()))).toBe(1)
        expect(await counter.during(() => store.renew(leases.slice(2)))).toBe(1)
        expect(await counter.during(() => store.complete(third, answer('x'.repeat(1_000))))).toBe(1)
        const [fourth] = leases.slice(3)
        if (fourth === undefined) throw new Error('unreachable')
        expect(await counter.during(() => store.release(fourth, { clean: true }))).toBe(1)
        await store.close()
        await opened.close()
        counter.close()
      })
    })
  }

  test('a replay or a refusal writes nothing, so that it waits for no disk', async () => {
    const store = postgresStore(pool, { schema, silence })
    const request = requestFor(randomUUID())
    const result = await store.claim(request)
    if (result.kind !== 'claimed') throw new Error(result.kind)
    const writes = async () => {
      const { rows } = await pool.query<{ xid: string }>(
        'SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS xid',
      )
      return rows[0]?.xid
    }
    const before = await writes()
    await store.claim(requestFor(request.id))
    await store.claim(requestFor(request.id, { fingerprint: 'b1:other' }))
    await store.complete({ ...request, ...result, takeover: false }, answer('x'))
    const after = await writes()
    await store.claim(requestFor(request.id))
    // Each transaction that writes takes a number: the completion did, and nothing else.
    expect(Number(after) - Number(before)).toBe(1)
    expect(await writes()).toBe(after)
    await store.close()
  })

  test('a completed record takes at most 650 bytes more than its body and headers, indexes included', async () => {
    const own = `test ${randomUUID()}`
    const store = postgresStore(pool, { schema: own, silence })
    const headers = [
      ['Content-Type', 'application/json; charset=utf-8'],
      ['Location', '/orders/8e03978e-40d5-43e8-bc93-6894a57f9324'],
    ] as const
    const count = 600
    const addRecord = async () => {
      const request = requestFor(randomUUID(), {
        owner: randomUUID(),
        fingerprint: `b1:${'x'.repeat(43)} v1:${'y'.repeat(43)}`,
        label: { key: randomUUID(), scope: 'user-17' },
      })
      const result = await store.claim(request)
      if (result.kind !== 'claimed') throw new Error(result.kind)
      await store.complete({ ...request, ...result, takeover: false }, answer('{"id":17}', { headers }))
    }
    await Promise.all(Array.from({ length: count }, addRecord))
    await pool.query(`VACUUM FULL "${own}".hapax_record`)
    const { rows } = await pool.query<{ bytes: string }>('SELECT pg_total_relation_size($1) AS bytes', [
      `"${own}".hapax_record`,
    ])
    const payloadBytes = 9 + headers.flat().join('').length
    const overBytes = Number(rows[0]?.bytes) / count - payloadBytes
    if (process.env['HAPAX_SHOW']) console.log('bytes over body and headers', overBytes)
    await store.close()
    await pool.query(`DROP SCHEMA "${own}" CASCADE`)
    expect(overBytes).toBeLessThan(650)
  })
}

/** A way to the server that counts how often the client spoke and was answered. */
async function countTrips(serverUrl: string) {
  const { hostname, port } = new URL(serverUrl)
  let trips = 0
  let last: 'client' | 'server' = 'server'
  const proxy = createServer((client) => {
    const upstream = connect(Number(port), hostname)
    client.on('data', (chunk) => {
      if (last === 'server') trips += 1
      last = 'client'
      upstream.write(chunk)
    })
    upstream.on('data', (chunk) => {
      last = 'server'
      client.write(chunk)
    })
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('close', () => to.destroy())
      from.on('error', () => to.destroy())
    }
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const address = proxy.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.')
  const url = new URL(serverUrl)
  url.port = String(address.port)
  return {
    url: url.href,
    during: async (work: () => Promise<unknown>) => {
      trips = 0
      await work()
      return trips
    },
    close: () => void proxy.close(),
  }
}
