// Claims, and completions, of one moment leave in one statement. Each has its own outcome, as if it had been sent alone.
import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'pg'
import { afterAll, describe, expect, test } from 'vitest'
import { startOwnPostgres, startTcpProxy } from '../../scripts/services/index.ts'
import type { ClaimRequest, HeldLease, Outcome, Store } from '../../src/core/store.ts'
import { type PostgresStoreOptions, postgresStore } from '../../src/stores/postgres.ts'
import { pools } from '../support/postgres-clients.ts'
import { placeOf } from '../support/postgres-places.ts'
import { servers } from '../support/servers.ts'
import { answer, requestFor } from './requests.ts'

const server = await servers(() => startOwnPostgres())
if (server !== undefined) {
  afterAll(() => server.stop())
  const { pool, schema } = placeOf(server.url)
  const silence = ['postgres-forgets'] as const
  const open = (options: PostgresStoreOptions = {}, from = pool) =>
    postgresStore(from, { schema, silence, ...options })
  for (const [name, connect] of Object.entries(pools)) {
    test(`many claims at once through two stores of ${name}: one winner for each key`, async () => {
      const opened = [connect(server.url), connect(server.url)]
      const stores = opened.map(({ client }) => postgresStore(client, { schema, silence }))
      for (let round = 0; round < 10; round += 1) {
        const ids = Array.from({ length: 40 }, () => randomUUID())
        const requests = stores.flatMap((store) =>
          [...ids, ...ids].map((id) => ({ store, request: requestFor(id) })),
        )
        const results = await Promise.all(requests.map(({ store, request }) => store.claim(request)))
        const won = requests.filter((_, index) => results[index]?.kind === 'claimed')
        expect(new Set(won.map(({ request }) => request.id)).size).toBe(40)
        expect(won).toHaveLength(40)
        expect(results.filter(({ kind }) => kind === 'running')).toHaveLength(120)
        // The record is the winner's.
        const owners = await ownersOf(ids)
        for (const { request } of won) expect(owners.get(request.id)).toBe(request.owner)
      }
      await Promise.all(stores.map((store) => store.close()))
      await Promise.all(opened.map(({ close }) => close()))
    })

    test(`each of many completions of ${name} is of its own record`, async () => {
      const { client, close } = connect(server.url)
      const store = postgresStore(client, { schema, silence })
      const outcomes = Array.from({ length: 60 }, (_, index): Outcome => {
        if (index % 10 === 3) return { kind: 'unknown' }
        const tombstone = { kind: 'tombstone', status: 201, reason: 'too-large' } as const
        if (index % 10 === 4) return { kind: 'response', failed: false, response: tombstone }
        return answer(randomBytes(index % 10 === 5 ? 0 : index * 7))
      })
      const leases = await Promise.all(outcomes.map(() => held(store)))
      const written = await Promise.all(
        leases.map((lease, index) => store.complete(lease, outcomes[index] ?? { kind: 'unknown' })),
      )
      expect(written).toEqual(outcomes.map(() => 'written'))
      const replays = await Promise.all(leases.map(({ id }) => store.claim(requestFor(id))))
      for (const [index, outcome] of outcomes.entries()) {
        if (outcome.kind === 'unknown') expect(replays[index]).toMatchObject({ kind: 'lapsed' })
        else expect(replays[index]).toMatchObject({ kind: 'completed', response: plain(outcome) })
      }
      await store.close()
      await close()
    })
  }

  test('several outcomes of one record at once: one is recorded, and stays', async () => {
    const store = open()
    for (let round = 0; round < 10; round += 1) {
      const lease = await held(store)
      const bodies = ['a', 'b', 'c', 'd'].map((text) => Buffer.from(text))
      await Promise.all(bodies.map((body) => store.complete(lease, answer(body))))
      const replay = await store.claim(requestFor(lease.id))
      if (replay.kind !== 'completed' || replay.response.kind !== 'kept') throw new Error(replay.kind)
      expect(bodies).toContainEqual(replay.response.body)
      await Promise.all(bodies.map((body) => store.complete(lease, answer(body))))
      expect(await store.claim(requestFor(lease.id))).toMatchObject({ response: replay.response })
    }
    await store.close()
  })

  test('a late token in a batch is shut out, and its neighbours are not', async () => {
    const store = open()
    const leases = await Promise.all(Array.from({ length: 9 }, () => held(store)))
    const results = await Promise.all(
      leases.map((lease, index) =>
        store.complete(index === 4 ? { ...lease, token: lease.token - 1 } : lease, answer('x')),
      ),
    )
    expect(results).toEqual(leases.map((_, index) => (index === 4 ? 'stale' : 'written')))
    expect(await store.claim(requestFor(leases[4]?.id ?? ''))).toMatchObject({ kind: 'running' })
    await store.close()
  })

  test('who watches one of them elsewhere is told', async () => {
    const store = open()
    // Nothing but a notification may wake it.
    const elsewhere = open({ pollEvery: '1h' })
    const leases = await Promise.all(Array.from({ length: 20 }, () => held(store)))
    let rung = 0
    await elsewhere.watch?.(leases[7]?.id ?? '', () => {
      rung += 1
    })
    await Promise.all(leases.map((lease) => store.complete(lease, answer('x'))))
    await expect.poll(() => rung, { timeout: 2_000 }).toBe(1)
    await elsewhere.close()
    await store.close()
  })

  test('claims that lay in the queue of the pool for too long are not carried out', async () => {
    const narrow = new Pool({ connectionString: server.url, max: 1 })
    const store = open({}, narrow)
    await store.claim(requestFor(randomUUID()))
    await sleep(50)
    const hog = await narrow.connect()
    const requests = Array.from({ length: 10 }, () => requestFor(randomUUID(), { leaseMs: 100 }))
    const late = { code: 'store-failed', message: expect.stringMatching(/too late/) }
    const claims = requests.map((request) => expect(store.claim(request)).rejects.toMatchObject(late))
    await sleep(1_200)
    hog.release()
    await Promise.all(claims)
    expect((await ownersOf(requests.map(({ id }) => id))).size).toBe(0)
    await store.close()
    await narrow.end()
  })

  test('replays and refusals write nothing together, so that they wait for no disk', async () => {
    const store = open()
    const leases = await Promise.all(Array.from({ length: 20 }, () => held(store)))
    await Promise.all(leases.slice(10).map((lease) => store.complete(lease, answer('x'))))
    const transactions = async () => {
      const { rows } = await pool.query('SELECT pg_snapshot_xmax(pg_current_snapshot())::text AS xid')
      return rows
    }
    const before = await transactions()
    const results = await Promise.all(leases.map(({ id }) => store.claim(requestFor(id))))
    expect(await transactions()).toEqual(before)
    expect(new Set(results.map(({ kind }) => kind))).toEqual(new Set(['running', 'completed']))
    await store.close()
  })

  describe('one that the server refuses', () => {
    test('fails alone: its neighbours are claimed, each once', async () => {
      const store = open()
      // Longer than what an index takes.
      const refused = requestFor(randomBytes(9_000).toString('base64'))
      const requests = Array.from({ length: 20 }, (_, index) =>
        index === 7 ? refused : requestFor(randomUUID()),
      )
      const results = await Promise.all(
        requests.map((request) => store.claim(request).catch((error: unknown) => error)),
      )
      for (const [index, result] of results.entries()) {
        const expected = index === 7 ? { code: 'store-failed' } : { kind: 'claimed', attempt: 1 }
        expect(result).toMatchObject(expected)
      }
      await store.close()
    })

    test('fails alone: its neighbours are completed', async () => {
      const store = open()
      const leases = await Promise.all(Array.from({ length: 20 }, () => held(store)))
      const results = await Promise.all(
        leases.map((lease, index) =>
          store
            .complete(lease, answer('x', { status: index === 7 ? 2 ** 40 : 200 }))
            .catch((error: unknown) => error),
        ),
      )
      for (const [index, result] of results.entries()) {
        if (index === 7) expect(result).toMatchObject({ code: 'store-failed' })
        else expect(result).toBe('written')
      }
      await store.close()
    })
  })

  describe('one whose row another transaction holds', () => {
    const holding = async (text: string, values: unknown[], during: () => Promise<void>) => {
      const holder = await pool.connect()
      await holder.query('BEGIN')
      await holder.query(text.replaceAll('TABLE', `"${schema}".hapax_record`), values)
      await during()
      await holder.query('ROLLBACK')
      holder.release()
    }

    test('waits alone for lockTimeout; its neighbours are completed meanwhile', async () => {
      const { counted, statements } = counting()
      const store = open({ lockTimeout: 700 }, counted)
      const leases = await Promise.all(Array.from({ length: 20 }, () => held(store)))
      const locked = leases[7]
      if (locked === undefined) throw new Error('unreachable')
      await holding('SELECT FROM TABLE WHERE id = $1 FOR UPDATE', [locked.id], async () => {
        statements.length = 0
        const startMs = performance.now()
        let lockedMs = 0
        const refused = { code: 'store-failed', message: expect.stringMatching(/open on this record/) }
        await Promise.all(
          leases.map(async (lease) => {
            const written = store.complete(lease, answer('x'))
            if (lease !== locked) expect(await written).toBe('written')
            else await expect(written).rejects.toMatchObject(refused)
            if (lease === locked) lockedMs = performance.now() - startMs
            else expect(performance.now() - startMs).toBeLessThan(500)
          }),
        )
        expect(lockedMs).toBeGreaterThan(650)
        // The first, the others together, and the one that is locked.
        expect(statements.map(({ members }) => members)).toEqual([1, 19, 1])
      })
      expect(await store.complete(locked, answer('x'))).toBe('written')
      await store.close()
      await counted.end()
    })

    test('holds up no claim that only reads it', async () => {
      const { counted, statements } = counting()
      const store = open({ lockTimeout: 700 }, counted)
      const leases = await Promise.all(Array.from({ length: 20 }, () => held(store)))
      await holding('UPDATE TABLE SET since = now() WHERE id = $1', [leases[7]?.id], async () => {
        statements.length = 0
        const results = await Promise.all(leases.map(({ id }) => store.claim(requestFor(id))))
        expect(results.map(({ kind }) => kind)).toEqual(leases.map(() => 'running'))
        expect(statements.map(({ members }) => members)).toEqual([1, 19])
      })
      await store.close()
      await counted.end()
    })

    test('waits alone for lockTimeout; its neighbours are claimed meanwhile', async () => {
      const store = open({ lockTimeout: 700 })
      const requests = Array.from({ length: 20 }, () => requestFor(randomUUID()))
      const locked = requests[7]
      if (locked === undefined) throw new Error('unreachable')
      await store.claim(requestFor(randomUUID()))
      const insertion = `INSERT INTO TABLE (id, format, state, owner, token, attempt, recovery, retain_ms,
        retain_unknown_ms, since, expires_at) VALUES ($1, 1, 'released', '', 0, 0, 'refuse', 0, 0, now(), now())`
      await holding(insertion, [locked.id], async () => {
        const startMs = performance.now()
        const refused = { code: 'store-failed', message: expect.stringMatching(/open on this record/) }
        await Promise.all(
          requests.map(async (request) => {
            const claimed = store.claim(request)
            if (request !== locked) expect(await claimed).toMatchObject({ kind: 'claimed' })
            else await expect(claimed).rejects.toMatchObject(refused)
            if (request === locked) expect(performance.now() - startMs).toBeGreaterThan(650)
            else expect(performance.now() - startMs).toBeLessThan(500)
          }),
        )
      })
      expect(await store.claim(locked)).toMatchObject({ kind: 'claimed' })
      await store.close()
    })
  })

  test('batches of the same keys in other orders never wait for each other in a circle', async () => {
    // The server looks for circles at once, and counts them.
    const options = { connectionString: server.url, options: '-c deadlock_timeout=1ms' }
    const two = [new Pool(options), new Pool(options)]
    const stores = two.map((each) => open({}, each))
    const deadlocks = async () => {
      await sleep(600)
      const { rows } = await pool.query<{ deadlocks: string }>(
        'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
      )
      return Number(rows[0]?.deadlocks)
    }
    const before = await deadlocks()
    for (let round = 0; round < 300; round += 1) {
      const ids = Array.from({ length: 30 }, () => randomUUID())
      const results = await Promise.all(
        stores.map((store, index) =>
          Promise.all((index === 0 ? ids : ids.toReversed()).map((id) => store.claim(requestFor(id)))),
        ),
      )
      expect(results.flat().filter(({ kind }) => kind === 'claimed')).toHaveLength(30)
    }
    expect((await deadlocks()) - before).toBe(0)
    await Promise.all(stores.map((store) => store.close()))
    await Promise.all(two.map((each) => each.end()))
  })

  test('nobody knows of any claim whose connection is cut; each is its owner’s, or nobody’s yet', async () => {
    const { proxy, through } = await proxied()
    const store = open({}, through)
    await store.claim(requestFor(randomUUID()))
    await warm(through, 4)
    const requests = Array.from({ length: 30 }, () => requestFor(randomUUID()))
    proxy.holdAnswers()
    const claims = Promise.all(
      requests.map((request) => store.claim(request).catch((error: unknown) => error)),
    )
    // The server has carried them out, and nobody hears of it.
    await expect.poll(async () => (await ownersOf(requests.map(({ id }) => id))).size).toBe(30)
    proxy.cut()
    for (const result of await claims) expect(result).toMatchObject({ code: 'store-failed' })
    proxy.resume()
    // The pool learns of each connection that it is gone.
    await sleep(100)
    const others = await Promise.all(requests.map(({ id }) => store.claim(requestFor(id))))
    const again = await Promise.all(requests.map((request) => store.claim(request)))
    expect(others.map(({ kind }) => kind)).toEqual(requests.map(() => 'running'))
    expect(again.map(({ kind }) => kind)).toEqual(requests.map(() => 'claimed'))
    await store.close()
    await through.end()
    await proxy.close()
  })

  test('dead connections hold up what gathers behind them no longer than a moment', async () => {
    const { proxy, through } = await proxied()
    const store = open({ answerTimeout: 4_000 }, through)
    await store.claim(requestFor(randomUUID()))
    await sleep(50)
    await warm(through, 4)
    proxy.goSilent()
    const stuck: Array<Promise<unknown>> = []
    // Each in a turn of its own, and so on a connection of its own.
    for (let turn = 0; turn < 4; turn += 1) {
      stuck.push(store.claim(requestFor(randomUUID())).catch((error: unknown) => error))
      await sleep(5)
    }
    const startMs = performance.now()
    expect(await store.claim(requestFor(randomUUID()))).toMatchObject({ kind: 'claimed' })
    expect(performance.now() - startMs).toBeLessThan(1_000)
    proxy.cut()
    await Promise.all(stuck)
    await store.close()
    await through.end()
    await proxy.close()
  })

  describe('what leaves together', () => {
    test('is at most 64 members and 256 KiB, and what is long goes alone', async () => {
      const { counted, statements } = counting()
      const store = open({}, counted)
      await store.claim(requestFor(randomUUID()))
      const leases = await Promise.all(Array.from({ length: 200 }, () => held(store)))
      expect(Math.max(...statements.map(({ members }) => members))).toBe(64)
      expect(statements.length).toBeLessThan(20)
      statements.length = 0
      const bodies = leases.map((_, index) => 'x'.repeat(index % 20 === 0 ? 20_000 : 12_000))
      await Promise.all(leases.map((lease, index) => store.complete(lease, answer(bodies[index] ?? ''))))
      const together = statements.filter(({ members }) => members > 1)
      expect(Math.max(...together.map(({ bytes }) => bytes))).toBeLessThanOrEqual(256 * 1024)
      expect(Math.max(...together.map(({ bytes }) => bytes))).toBeGreaterThan(200 * 1024)
      expect(statements.filter(({ bytes }) => bytes > 20_000 && bytes < 22_000).length).toBe(10)
      await store.close()
      await counted.end()
    })

    test('replays answers of any length', async () => {
      const { counted, statements } = counting()
      const store = open({}, counted)
      const bodies = [10, 300_000, 0, 65_536, 65_537, 1_000].map((bytes) => randomBytes(bytes))
      const leases: HeldLease[] = []
      for (const body of bodies) {
        const lease = await held(store)
        await store.complete(lease, answer(body))
        leases.push(lease)
      }
      statements.length = 0
      const replays = await Promise.all(leases.map(({ id }) => store.claim(requestFor(id))))
      for (const [index, body] of bodies.entries())
        expect(replays[index]).toMatchObject({ kind: 'completed', response: { body } })
      expect(statements.some(({ members }) => members > 4)).toBe(true)
      await store.close()
      await counted.end()
    })

    test('reads by the key, also where the table is new', async () => {
      const fresh = `test ${randomUUID()}`
      const store = open({ schema: fresh })
      for (let round = 0; round < 20; round += 1) {
        const leases = await Promise.all(Array.from({ length: 20 }, () => held(store)))
        await Promise.all(leases.map((lease) => store.complete(lease, answer('x'))))
        await Promise.all(leases.map(({ id }) => store.claim(requestFor(id))))
      }
      await store.close()
      const read = async () => {
        const { rows } = await pool.query<{ seq_tup_read: string; idx_scan: string }>(
          `SELECT seq_tup_read, idx_scan FROM pg_stat_user_tables WHERE schemaname = $1 AND relname = 'hapax_record'`,
          [fresh],
        )
        return rows[0]
      }
      await expect.poll(async () => Number((await read())?.idx_scan), { timeout: 5_000 }).toBeGreaterThan(400)
      expect(Number((await read())?.seq_tup_read)).toBe(0)
      await pool.query(`DROP SCHEMA "${fresh}" CASCADE`)
    })
  })

  async function ownersOf(ids: readonly string[]): Promise<Map<string, string>> {
    const { rows } = await pool.query<{ id: string; owner: string }>(
      `SELECT id, owner FROM "${schema}".hapax_record WHERE id = ANY($1)`,
      [ids],
    )
    return new Map(rows.map(({ id, owner }) => [id, owner]))
  }

  async function proxied() {
    const proxy = await startTcpProxy(Number(new URL(server?.url ?? '').port))
    const url = new URL(server?.url ?? '')
    url.port = String(proxy.port)
    const through = new Pool({ connectionString: url.href, max: 10 })
    through.on('error', () => {})
    return { proxy, through }
  }

  /** So many connections, and all of them idle. */
  async function warm(through: Pool, count: number): Promise<void> {
    const connections = await Promise.all(Array.from({ length: count }, () => through.connect()))
    for (const connection of connections) connection.release()
  }

  /** A pool, and what the store sends through it: how many members a statement has, and how long it is. */
  function counting() {
    const counted = new Pool({ connectionString: server?.url })
    const statements: Array<{ readonly members: number; readonly bytes: number }> = []
    counted.on('connect', (client) => {
      const query = client.query.bind(client) as (...args: unknown[]) => unknown
      Object.assign(client, {
        query: (...args: unknown[]) => {
          const [config] = args
          const values = typeof config === 'object' && config !== null ? Reflect.get(config, 'values') : []
          const [json, body] = Array.isArray(values) ? values : []
          if (typeof json === 'string' && /"(owner|state|members)"/.test(json)) {
            const { members } = JSON.parse(json)
            const bytes = json.length + (Buffer.isBuffer(body) ? body.length : 0)
            statements.push({ members: Array.isArray(members) ? members.length : 1, bytes })
          }
          return query(...args)
        },
      })
    })
    return { counted, statements }
  }
}

async function held(store: Store, request: ClaimRequest = requestFor(randomUUID())): Promise<HeldLease> {
  const result = await store.claim(request)
  if (result.kind !== 'claimed') throw new Error(result.kind)
  return { ...request, token: result.token, attempt: result.attempt, takeover: result.takeover !== undefined }
}

function plain(outcome: Extract<Outcome, { kind: 'response' }>) {
  const { response } = outcome
  return response.kind === 'kept' ? { ...response, body: Buffer.from(response.body) } : response
}
