// Pools without a connection to spare, servers that are down or frozen, and what the store refuses.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, Pool } from 'pg'
import postgres from 'postgres'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type OwnPostgresServer, startOwnPostgres, startTcpProxy } from '../../scripts/services/index.ts'
import { isIdempotencyError } from '../../src/core/errors.ts'
import { idempotencyOver } from '../../src/core/idempotency.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { pools } from '../support/postgres-clients.ts'
import { servers } from '../support/servers.ts'
import { answer, requestFor } from './requests.ts'

const silence = ['postgres-forgets'] as const

describe('what is not a pool', () => {
  const refused = expect.objectContaining({
    code: 'invalid-option',
    message: expect.stringMatching(/Pool of pg/),
  })
  test.each([undefined, null, 'postgres://x', {}, () => {}, new Client()])('%s is refused', (value) => {
    // What a caller without types may give.
    expect(() => postgresStore(value as never)).toThrow(refused)
  })

  test('the sql of a transaction is refused', async () => {
    const sql = postgres('postgres://127.0.0.1:1/x')
    const transaction = Object.assign(() => {}, { unsafe: sql.unsafe, savepoint: () => {} })
    expect(() => postgresStore(transaction as never)).toThrow(refused)
    await sql.end()
  })

  test.each([
    [{ schemas: 'x' }, /Unknown option "schemas"/],
    [{ watch: 'always' }, /"watch" must be "listen" or "poll"/],
    [{ lockTimeout: '0ms' }, /"lockTimeout"/],
    [{ migrate: 'no' }, /"migrate" must be true or false/],
    [{ silence: ['x'] }, /"silence"/],
  ])('the options %j are refused', (options, sentence) => {
    expect(() => postgresStore(new Pool(), options as never)).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringMatching(sentence) }),
    )
  })
})

test('a pool that nobody listens to gets a listener, without which a lost connection ends the process', () => {
  const [unheard, heard] = [new Pool(), new Pool()]
  heard.on('error', () => {})
  for (const pool of [unheard, heard]) {
    postgresStore(pool)
    postgresStore(pool)
    expect(pool.listenerCount('error')).toBe(1)
  }
})

test('a server that is not there: each verb rejects in time, with a sentence', async () => {
  for (const open of Object.values(pools)) {
    const opened = open('postgres://hapax@127.0.0.1:1/x')
    const store = postgresStore(opened.client, { silence })
    const request = requestFor('k')
    const lease = { ...request, token: 1, attempt: 1, takeover: false }
    const verbs = [
      () => store.claim(request),
      () => store.renew([lease]),
      () => store.complete(lease, answer('x')),
      () => store.release(lease, { clean: true }),
      () => store.abandon('k', 'o'),
      () => store.inspect?.get('k'),
      () => store.watch?.('k', () => {}),
    ]
    for (const verb of verbs) {
      await expect(verb()).rejects.toMatchObject({
        code: 'store-failed',
        message: expect.stringMatching(/^Postgres refused an operation: .*ECONNREFUSED/),
      })
    }
    await store.close()
    await opened.close()
  }
})

const server = await servers(() => startOwnPostgres())
if (server !== undefined) {
  afterAll(() => server.stop())

  test('a pool whose connections others hold: 503 in time, and no claim is left behind', async () => {
    const pool = new Pool({ connectionString: server.url, max: 2 })
    const store = postgresStore(pool, { silence })
    await store.claim(requestFor(randomUUID()))
    const hogs = [await pool.connect(), await pool.connect()]
    const once = idempotencyOver({ store, storeTimeout: 500 }, () => store)
    const keys = Array.from({ length: 20 }, () => randomUUID())
    const startMs = performance.now()
    let runs = 0
    const work = () => {
      runs += 1
      return 'done'
    }
    const answers = await Promise.all(
      keys.map((key) => once.run({ key, scope: false }, work).catch((error: unknown) => error)),
    )
    expect(performance.now() - startMs).toBeLessThan(3_000)
    expect(answers.map((error) => isIdempotencyError(error) && error.code)).toEqual(
      Array(20).fill('store-unavailable'),
    )
    for (const hog of hogs) hog.release()
    // What landed late is undone, and the same keys run.
    await expect
      .poll(
        async () =>
          Promise.all(
            keys.map((key) => once.run({ key, scope: false }, work).catch((error: unknown) => String(error))),
          ),
        { timeout: 5_000 },
      )
      .toEqual(Array(20).fill('done'))
    expect(runs).toBe(20)
    await once.close()
    await pool.end()
  })

  test.each([
    ['holds its answers back', 'holdAnswers'],
    ['is gone, and nobody is told', 'goSilent'],
  ] as const)('a server that %s: verbs reject in time, and may be sent again', async (_, fault) => {
    const proxy = await startTcpProxy(Number(new URL(server.url).port))
    const url = new URL(server.url)
    url.port = String(proxy.port)
    const pool = new Pool({ connectionString: url.href, max: 1 })
    const store = postgresStore(pool, { silence, answerTimeout: 300 })
    const held = requestFor(randomUUID())
    const grant = await store.claim(held)
    if (grant.kind !== 'claimed') throw new Error(grant.kind)
    const lease = { ...held, ...grant, takeover: false }
    // After its first claim the store asks for two settings.
    await sleep(50)
    const unanswered = {
      code: 'store-failed',
      message: expect.stringMatching(/^Postgres refused an operation: no answer in time/),
    }

    const request = requestFor(randomUUID())
    proxy[fault]()
    await expect(store.claim(request)).rejects.toMatchObject(unanswered)
    proxy.resume()
    // Whether it was carried out or not, its owner gets it and nobody else. The pool has another connection.
    expect((await store.claim(request)).kind).toBe('claimed')
    expect((await store.claim(requestFor(request.id))).kind).toBe('running')

    proxy[fault]()
    await expect(store.complete(lease, answer('x'))).rejects.toMatchObject(unanswered)
    proxy.resume()
    expect(await store.complete(lease, answer('x'))).toBe('written')
    expect(await store.claim(requestFor(held.id))).toMatchObject({ kind: 'completed' })
    await store.close()
    await pool.end()
    await proxy.close()
  })

  test('statements of pg that wait for their answers share one timer', async () => {
    const proxy = await startTcpProxy(Number(new URL(server.url).port))
    const url = new URL(server.url)
    url.port = String(proxy.port)
    const pool = new Pool({ connectionString: url.href, max: 10 })
    const store = postgresStore(pool, { silence })
    // Of those that each take a connection.
    const statements = () => Array.from({ length: 10 }, () => store.abandon(randomUUID(), 'nobody'))
    await Promise.all(statements())
    await Promise.all(statements())
    await sleep(50)
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
    proxy.holdAnswers()
    // The pool has one for each connection that is idle.
    const whileIdle = timers()
    const waiting = statements()
    await sleep(20)
    expect(timers()).toBeLessThanOrEqual(whileIdle - 10 + 1)
    proxy.resume()
    await Promise.all(waiting)
    await store.close()
    await pool.end()
    await proxy.close()
  })

  test('a connection has one listener of hapax, however many stores share its pool', async () => {
    const pool = new Pool({ connectionString: server.url, max: 1 })
    const listeners = async () => {
      const connection = await pool.connect()
      connection.release()
      return connection.listenerCount('error')
    }
    const before = await listeners()
    for (let count = 0; count < 3; count += 1) {
      const store = postgresStore(pool, { silence })
      await store.abandon(randomUUID(), 'nobody')
      await store.close()
    }
    expect(await listeners()).toBeLessThanOrEqual(before + 1)
    await pool.end()
  })

  test('a statement that lost to another leaves its connection open', async () => {
    const pool = new Pool({ connectionString: server.url, max: 2 })
    const store = postgresStore(pool, { silence, lockTimeout: 50 })
    const request = requestFor(randomUUID())
    await store.claim(request)
    const holder = await pool.connect()
    await holder.query('BEGIN; SELECT FROM hapax.hapax_record FOR UPDATE')
    let removed = 0
    pool.on('remove', () => {
      removed += 1
    })
    await expect(
      store.release({ ...request, token: 1, attempt: 1, takeover: false }, { clean: true }),
    ).resolves.toBe('stale')
    await expect(store.abandon(request.id, request.owner)).rejects.toMatchObject({ cause: { code: '55P03' } })
    await sleep(50)
    expect(removed).toBe(0)
    await holder.query('ROLLBACK')
    holder.release()
    await store.close()
    await pool.end()
  })

  describe('a server that is frozen', () => {
    let own: OwnPostgresServer
    beforeAll(async () => {
      own = await startOwnPostgres()
    })
    afterAll(() => own.stop())

    test('few statements wait, and it goes on when it is back', async () => {
      const opened = Object.values(pools).map((open) => open(own.url))
      const stores = opened.map(({ client }) => postgresStore(client, { silence }))
      for (const store of stores) {
        await Promise.all(Array.from({ length: 10 }, () => store.claim(requestFor(randomUUID()))))
      }
      own.signalAll('SIGSTOP')
      const results = stores.map((): string[] => [])
      const sent: Promise<unknown>[] = []
      const endMs = performance.now() + 3_500
      while (performance.now() < endMs) {
        for (const [index, store] of stores.entries()) {
          const claim = store.claim(requestFor(randomUUID())).then(
            () => 'answered',
            (error: unknown) => (isIdempotencyError(error) ? error.message : String(error)),
          )
          sent.push(claim.then((result) => results[index]?.push(result)))
        }
        await sleep(20)
      }
      // After a while it is refused at once instead of waiting in the pool.
      for (const each of results) {
        expect(each.filter((result) => /does not keep up/.test(result)).length).toBeGreaterThan(10)
      }
      own.signalAll('SIGCONT')
      await Promise.all(sent)
      for (const each of results) expect(each).toContain('answered')
      for (const store of stores) {
        expect(await store.claim(requestFor(randomUUID()))).toMatchObject({ kind: 'claimed' })
        await store.close()
      }
      await Promise.all(opened.map(({ close }) => close()))
    })

    test('killed and restarted, the next claim works', async () => {
      const opened = Object.values(pools).map((open) => open(own.url))
      const stores = opened.map(({ client }) => postgresStore(client, { silence }))
      const requests = stores.map(() => requestFor(randomUUID()))
      const claimAll = () =>
        Promise.all(
          stores.map((store, index) =>
            store.claim(requests[index] ?? requestFor('none')).catch((error: unknown) => error),
          ),
        )
      const claimed = await claimAll()
      await own.kill()
      for (const error of await claimAll()) expect(error).toMatchObject({ code: 'store-failed' })
      await own.restart()
      await expect.poll(claimAll, { timeout: 5_000 }).toEqual(claimed)
      await Promise.all(stores.map((store) => store.close()))
      await Promise.all(opened.map(({ close }) => close()))
    })
  })

  test('settings that make the server forget are reported once', async () => {
    const pool = new Pool({ connectionString: server.url, options: '-c synchronous_commit=off' })
    const warnings: string[] = []
    const logger = { warn: (message: string) => void warnings.push(message) }
    const store = postgresStore(pool, { logger })
    for (let round = 0; round < 3; round += 1) await store.claim(requestFor(randomUUID()))
    await expect
      .poll(() => warnings)
      .toEqual([expect.stringMatching(/synchronous_commit .*\[postgres-forgets: docs/)])
    await store.close()
    await pool.end()
  })

  test('a server that only reads is named', async () => {
    const pool = new Pool({ connectionString: server.url, options: '-c default_transaction_read_only=on' })
    const store = postgresStore(pool, { silence })
    await expect(store.claim(requestFor(randomUUID()))).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringMatching(/Connect the pool to the primary/),
    })
    await store.close()
    await pool.end()
  })

  test('a database of another encoding keeps every text', async () => {
    const control = new Pool({ connectionString: server.url })
    const name = `latin_${randomUUID().slice(0, 8)}`
    await control.query(
      `CREATE DATABASE ${name} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`,
    )
    const url = new URL(server.url)
    url.pathname = name
    const pool = new Pool({ connectionString: url.href })
    const store = postgresStore(pool, { silence })
    const label = { key: 'é💳\0\ud83d', scope: '"' }
    const request = requestFor(randomUUID(), { label })
    const result = await store.claim(request)
    if (result.kind !== 'claimed') throw new Error(result.kind)
    const headers = [['x-name', 'é\u00ff']] as const
    await store.complete({ ...request, ...result, takeover: false }, answer('ж', { headers }))
    const found = await store.inspect?.get(request.id)
    expect(found).toMatchObject({ record: { label, response: { headers } } })
    await store.close()
    await pool.end()
    await control.query(`DROP DATABASE ${name}`)
    await control.end()
  })
}
