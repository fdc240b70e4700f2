// Races, rows that stand still, settings of a server and a pool that have broken other stores, and what is refused.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { createPool as createCallbackPool } from 'mysql2'
import { createConnection, createPool, type Pool } from 'mysql2/promise'
import { afterAll, describe, expect, test } from 'vitest'
import { startMariaDb, startTcpProxy } from '../../scripts/services/index.ts'
import { hashOf } from '../../src/stores/mysql/rows.ts'
import { mysqlStore } from '../../src/stores/mysql.ts'
import { asMysql } from '../support/as-mysql.ts'
import { servers } from '../support/servers.ts'
import { answer, requestFor } from './requests.ts'
import { mustClaim, record, replayed } from './verbs.ts'

const refused = (sentence: RegExp) =>
  expect.objectContaining({ code: 'invalid-option', message: expect.stringMatching(sentence) })

test.each([undefined, null, 'mysql://x', {}])('%s is no pool, and is refused', (value) => {
  // What a caller without types may give.
  expect(() => mysqlStore(value as never)).toThrow(refused(/createPool\(\) of "mysql2"/))
})

test('an option that is not known is refused', () => {
  const pool = createPool('mysql://root@127.0.0.1:1/x')
  expect(() => mysqlStore(pool, { schema: 'x' } as never)).toThrow(refused(/Unknown option "schema"/))
})

test('a server that is not there: each verb rejects, with a sentence', async () => {
  const pool = createPool('mysql://root@127.0.0.1:1/x')
  const store = mysqlStore(pool)
  const request = requestFor('k')
  const lease = { ...request, token: 1, attempt: 1, takeover: false }
  for (const verb of [
    () => store.claim(request),
    () => store.renew([lease]),
    () => store.complete(lease, answer('x')),
    () => store.release(lease, { clean: true }),
    () => store.abandon('k', 'o'),
    () => store.inspect?.get('k'),
    () => store.inspect?.list({ limit: 1 }),
    () => store.watch?.('k', () => {}),
  ]) {
    await expect(verb()).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringMatching(/^MySQL refused an operation: .*ECONNREFUSED/),
    })
  }
  await store.close()
  await pool.end()
})

const server = await servers(() => startMariaDb())
if (server !== undefined) {
  const pools: Pool[] = []
  const open = (options = {}) => {
    const pool = createPool({ uri: server.url, connectionLimit: 10, ...options })
    pools.push(pool)
    return pool
  }
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end()))
    await server.stop()
  })

  test('a single connection is refused, since a transaction could be open on it', async () => {
    const connection = await createConnection(server.url)
    expect(() => mysqlStore(connection as never)).toThrow(refused(/createPool/))
    await connection.end()
  })

  test('the pool of callbacks works too', async () => {
    const pool = createCallbackPool({ uri: server.url })
    const store = mysqlStore(pool)
    const id = randomUUID()
    await record(store, id, 'answer')
    expect(await replayed(store, id)).toBe('answer')
    await store.close()
    await pool.promise().end()
  })

  describe.each([
    ['MariaDB', (pool: Pool) => pool],
    ['MySQL', asMysql],
  ] as const)('races with the statements of %s', (_, through) => {
    test.each(['REPEATABLE-READ', 'READ-COMMITTED', 'SERIALIZABLE'])(
      'one winner for each of 40 keys at %s, of two pools that claim and complete at once',
      async (isolation) => {
        const stores = await Promise.all(
          [1, 2].map(async () => {
            const pool = open()
            pool.on('connection', (connection) => {
              void connection.query(`SET SESSION tx_isolation = '${isolation}'`)
            })
            return mysqlStore(through(pool))
          }),
        )
        const keys = Array.from({ length: 40 }, () => randomUUID())
        const winners = new Map<string, number>()
        await Promise.all(
          Array.from({ length: 8 }, (__, turn) => stores[turn % 2]).flatMap((store) =>
            keys.map(async (id) => {
              if (store === undefined) throw new Error('unreachable')
              const request = requestFor(id)
              const result = await store.claim(request)
              if (result.kind !== 'claimed') return
              winners.set(id, (winners.get(id) ?? 0) + 1)
              const lease = { ...request, ...result, takeover: false }
              expect(await store.renew([lease])).toEqual(['renewed'])
              expect(await store.complete(lease, answer(id))).toBe('written')
            }),
          ),
        )
        expect([...winners.values()]).toEqual(keys.map(() => 1))
        for (const id of keys) expect(await replayed(stores[0] ?? fail(), id)).toBe(id)
        await Promise.all(stores.map((store) => store.close()))
      },
    )

    test('of many takeovers of a lapsed record one wins', async () => {
      const stores = [mysqlStore(through(open())), mysqlStore(through(open()))]
      const [store = fail()] = stores
      const policy = { recovery: 'rerun', retainMs: 60_000, retainUnknownMs: 60_000 } as const
      const late = await mustClaim(store, randomUUID(), { policy, leaseMs: 1 })
      await sleep(30)
      const results = await Promise.all(
        Array.from({ length: 20 }, (__, turn) =>
          (stores[turn % 2] ?? fail()).claim(requestFor(late.id, { policy })),
        ),
      )
      expect(results.filter(({ kind }) => kind === 'claimed')).toHaveLength(1)
      expect(results.filter(({ kind }) => kind === 'running')).toHaveLength(19)
      expect(await store.complete(late, answer('late'))).toBe('stale')
      await Promise.all(stores.map((each) => each.close()))
    })
  })

  test('a row that a transaction holds rejects in time, and holds up the renewal of no other', async () => {
    const store = mysqlStore(open())
    const [held, free] = [await mustClaim(store, randomUUID()), await mustClaim(store, randomUUID())]
    const shell = await createConnection(server.url)
    await shell.query('START TRANSACTION')
    await shell.query('SELECT * FROM hapax_record WHERE id_hash = ? FOR UPDATE', [hashOf(held.id)])
    const results = await store.renew([held, free])
    expect(results).toHaveLength(2)
    expect(results[0]).toBeUndefined()
    expect(results[1]).toBe('renewed')
    await expect(store.complete(held, answer('x'))).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringMatching(/transaction that is open on this record/),
    })
    await shell.query('ROLLBACK')
    await shell.end()
    expect(await store.complete(held, answer('x'))).toBe('written')
    await store.close()
  })

  test.each([
    ['another time zone', "SET SESSION time_zone = '+09:00'"],
    ['no backslashes', "SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES,ANSI_QUOTES,PIPES_AS_CONCAT'"],
    ['no strict mode', "SET SESSION sql_mode = ''"],
    ['a character set of one byte', 'SET NAMES latin1'],
  ])('a connection with %s keeps the same records', async (_, setting) => {
    const [plain, special] = [open(), open()]
    special.on('connection', (connection) => {
      void connection.query(setting)
    })
    const [one, other] = [mysqlStore(plain), mysqlStore(special)]
    const id = `${randomUUID()} \\' " é\0`
    const lease = await mustClaim(other, id)
    const met = await one.claim(requestFor(id))
    expect(met).toMatchObject({ kind: 'running' })
    expect(met.kind === 'running' && met.leaseLeftMs > 55_000 && met.leaseLeftMs <= 60_000).toBe(true)
    const body = Buffer.from('\\\'"\0é\x1a\xff', 'latin1')
    expect(await other.complete(lease, answer(Buffer.concat(Array.from({ length: 500 }, () => body))))).toBe(
      'written',
    )
    const result = await one.claim(requestFor(id))
    const response = result.kind === 'completed' && result.response.kind === 'kept' ? result.response : fail()
    expect(Buffer.from(response.body).equals(Buffer.concat(Array.from({ length: 500 }, () => body)))).toBe(
      true,
    )
    await Promise.all([one.close(), other.close()])
  })

  test('a connection that was given back inside a transaction takes no claim into it', async () => {
    const pool = open({ connectionLimit: 1 })
    const store = mysqlStore(pool)
    await mustClaim(store, randomUUID())
    const careless = await pool.getConnection()
    await careless.query('START TRANSACTION')
    careless.release()
    const request = requestFor(randomUUID())
    await expect(store.claim(request)).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringMatching(/inside a transaction/),
    })
    // Its connection was closed: nothing of that is left, and the next one is whole.
    expect((await store.claim(request)).kind).toBe('claimed')
    const other = mysqlStore(open())
    expect((await other.claim(requestFor(request.id))).kind).toBe('running')
    await Promise.all([store.close(), other.close()])
  })

  test('a claim that lay in the queue of the pool is judged by the time of its arrival', async () => {
    const pool = open({ connectionLimit: 1 })
    const [store, other] = [mysqlStore(pool), mysqlStore(open())]
    await mustClaim(store, randomUUID())
    const busy = await pool.getConnection()
    const claimed = mustClaim(store, randomUUID())
    await sleep(1_300)
    busy.release()
    const { id } = await claimed
    const met = await other.claim(requestFor(id))
    expect(met.kind === 'running' && met.leaseLeftMs).toBeGreaterThan(59_000)
    await Promise.all([store.close(), other.close()])
  })

  test.each([
    ['holds its answers back', 'holdAnswers'],
    ['is gone, and nobody is told', 'goSilent'],
  ] as const)('a server that %s: verbs reject in time, and may be sent again', async (_, fault) => {
    const proxy = await startTcpProxy(server.port)
    const url = new URL(server.url)
    url.port = String(proxy.port)
    const store = mysqlStore(open({ uri: url.href, connectionLimit: 1 }), { answerTimeout: 300 })
    const lease = await mustClaim(store, randomUUID())
    const unanswered = {
      code: 'store-failed',
      message: expect.stringMatching(/^MySQL refused an operation: no answer/),
    }

    const request = requestFor(randomUUID())
    proxy[fault]()
    await expect(store.claim(request)).rejects.toMatchObject(unanswered)
    proxy.resume()
    // Whether it was carried out or not, its owner gets it and nobody else.
    expect((await store.claim(request)).kind).toBe('claimed')
    expect((await store.claim(requestFor(request.id))).kind).toBe('running')

    proxy[fault]()
    await expect(store.complete(lease, answer('x'))).rejects.toMatchObject(unanswered)
    proxy.resume()
    expect(await store.complete(lease, answer('x'))).toBe('written')
    expect(await replayed(store, lease.id)).toBe('x')
    await store.close()
    await proxy.close()
  })

  test('an answer larger than a packet leaves a tombstone; a step so large is not kept', async () => {
    const store = mysqlStore(open())
    const lease = await mustClaim(store, randomUUID())
    const json = JSON.stringify('x'.repeat(17 * 1024 * 1024))
    const step = { state: 'finished', name: 'big', result: { kind: 'json', json } } as const
    expect(await store.recordStep(lease, step)).toBe('written')
    expect(await store.complete(lease, answer(Buffer.alloc(17 * 1024 * 1024)))).toBe('written')
    expect(await replayed(store, lease.id)).toBe('(tombstone store-refused)')
    await store.close()
  })

  test('without its tables and migrate, the error names the cure', async () => {
    const database = `empty_${randomUUID().replaceAll('-', '')}`
    await open().query(`CREATE DATABASE ${database}`)
    const url = new URL(server.url)
    url.pathname = `/${database}`
    const store = mysqlStore(open({ uri: url.href }), { migrate: false })
    await expect(store.claim(requestFor('k'))).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringMatching(/hapax migrate --print --dialect mysql/),
    })
    await store.close()
    // Twenty instances that start together make the tables once.
    const stores = Array.from({ length: 20 }, () => mysqlStore(open({ uri: url.href, connectionLimit: 2 })))
    const kinds = await Promise.all(stores.map(async (each) => (await each.claim(requestFor('k'))).kind))
    expect(kinds.filter((kind) => kind === 'claimed')).toHaveLength(1)
    await Promise.all(stores.map((each) => each.close()))
  })
}

function fail(): never {
  throw new Error('unreachable')
}
