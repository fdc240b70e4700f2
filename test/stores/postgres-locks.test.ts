// Statements that meet at one row, or at a row that somebody holds.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool, type PoolClient } from 'pg'
import { afterAll, describe, expect, test } from 'vitest'
import { startOwnPostgres } from '../../scripts/services/index.ts'
import { idempotencyOver } from '../../src/core/idempotency.ts'
import type { ClaimRequest, HeldLease, Store } from '../../src/core/store.ts'
import { type PostgresStoreOptions, postgresStore } from '../../src/stores/postgres.ts'
import { placeOf } from '../support/postgres-places.ts'
import { servers } from '../support/servers.ts'
import { answer, policy, requestFor } from './requests.ts'

const server = await servers(() => startOwnPostgres())
if (server !== undefined) {
  afterAll(() => server.stop())
  const { pool, schema } = placeOf(server.url)
  const silence = ['postgres-forgets'] as const
  const open = (options: PostgresStoreOptions = {}, from = pool) =>
    postgresStore(from, { schema, silence, ...options })

  describe('claims that meet', () => {
    const races = [
      ['refuse', 'read\\ committed'],
      ['reconcile', 'read\\ committed'],
      ['rerun', 'read\\ committed'],
      ['rerun', 'serializable'],
    ] as const
    for (const [recovery, isolation] of races) {
      test(`of many at once under ${recovery}, one wins; isolation: ${isolation}`, async () => {
        const options = {
          connectionString: server.url,
          options: `-c default_transaction_isolation=${isolation}`,
        }
        const others = new Pool({ ...options, max: 8 })
        const store = open({}, others)
        for (let round = 0; round < 5; round += 1) {
          const id = randomUUID()
          const claims = Array.from({ length: 24 }, () =>
            store.claim(requestFor(id, { policy: { ...policy, recovery } })),
          )
          const kinds = (await Promise.all(claims)).map(({ kind }) => kind)
          expect(kinds.filter((kind) => kind === 'claimed')).toHaveLength(1)
          expect(kinds.filter((kind) => kind === 'running')).toHaveLength(23)
        }
        await store.close()
        await others.end()
      })
    }

    test('of many takeovers at once, one wins, and the token of the first is shut out', async () => {
      const store = open()
      const rerun = { policy: { ...policy, recovery: 'rerun' } } as const
      for (let round = 0; round < 5; round += 1) {
        const id = randomUUID()
        const late = await held(store, requestFor(id, { ...rerun, leaseMs: 1 }))
        await sleep(3)
        const claims = Array.from({ length: 16 }, () => store.claim(requestFor(id, rerun)))
        const [results, completed] = await Promise.all([
          Promise.all(claims),
          store.complete(late, answer('of the first')),
        ])
        const winners = results.filter(({ kind }) => kind === 'claimed').length
        const replays = results.filter(({ kind }) => kind === 'completed').length
        // Either the late owner was first, and its answer stands; or one took over, and it is shut out.
        expect([completed, winners]).toEqual(completed === 'written' ? ['written', 0] : ['stale', 1])
        if (completed === 'stale') expect(replays).toBe(0)
      }
      await store.close()
    })
  })

  describe('a transaction that stands still on one record', () => {
    let stopped: PoolClient
    const hold = async (id: string) => {
      stopped = await pool.connect()
      await stopped.query('BEGIN')
      await stopped.query(`SELECT FROM "${schema}".hapax_record WHERE id = $1 FOR UPDATE`, [id])
    }
    const letGo = async () => {
      await stopped.query('ROLLBACK')
      stopped.release()
    }

    test('starves no other lease: its own renewal has no result, neither renewed nor stale', async () => {
      const store = open({ lockTimeout: 300 })
      const leases = await Promise.all(
        ['a', 'b', 'c', 'd'].map((name) => held(store, requestFor(`${name} ${randomUUID()}`))),
      )
      await hold(leases[1]?.id ?? '')
      const startMs = performance.now()
      const results = await store.renew(leases)
      expect(performance.now() - startMs).toBeLessThan(1_000)
      expect([...results]).toEqual(['renewed', undefined, 'renewed', 'renewed'])
      await letGo()
      expect(await store.renew(leases)).toEqual(['renewed', 'renewed', 'renewed', 'renewed'])
      await store.close()
    })

    test('makes its own key wait for lockTimeout, with a sentence that says why, and no other', async () => {
      const store = open({ lockTimeout: 200 })
      const lease = await held(store, requestFor(randomUUID()))
      await hold(lease.id)
      const startMs = performance.now()
      const locked = expect(store.complete(lease, answer('x'))).rejects.toMatchObject({
        code: 'store-failed',
        message: expect.stringMatching(/open on this record/),
      })
      expect(await store.claim(requestFor(randomUUID()))).toMatchObject({ kind: 'claimed' })
      // Nothing of it is written, so nothing waits.
      expect(await store.claim(requestFor(lease.id))).toMatchObject({ kind: 'running' })
      await locked
      expect(performance.now() - startMs).toBeLessThan(2_000)
      await letGo()
      expect(await store.complete(lease, answer('x'))).toBe('written')
      await store.close()
    })

    test('lets handlers that run longer than a lease keep their keys, its own too once it is over', async () => {
      const store = open({ lockTimeout: 200 })
      const lost: string[] = []
      const once = idempotencyOver({ store, on: (event) => void lost.push(event.type) }, () => store)
      const keys = Array.from({ length: 5 }, () => randomUUID())
      const runs = keys.map((key) =>
        once.run({ key, scope: false, lease: 900 }, async ({ signal }) => {
          await sleep(2_000)
          return signal.aborted
        }),
      )
      await sleep(100)
      const { rows } = await pool.query<{ id: string }>(
        `SELECT id FROM "${schema}".hapax_record WHERE label_key = $1`,
        [keys[0]],
      )
      await hold(rows[0]?.id ?? '')
      await sleep(1_200)
      await letGo()
      expect(await Promise.all(runs)).toEqual([false, false, false, false, false])
      expect(lost).not.toContain('lease-lost')
      await once.close()
    })

    test('leaves no setting behind on a connection of the pool', async () => {
      const single = new Pool({ connectionString: server.url, max: 1 })
      const store = open({ lockTimeout: 200 }, single)
      await held(store, requestFor(randomUUID()))
      const { rows } = await single.query('SHOW lock_timeout')
      expect(rows).toEqual([{ lock_timeout: '0' }])
      await store.close()
      await single.end()
    })
  })

  describe('the reaper', () => {
    test('waits for no claim, and never deletes what a claim has just taken', async () => {
      const before = open()
      await before.claim(requestFor(randomUUID()))
      await before.close()
      const id = randomUUID()
      const table = `"${schema}".hapax_record`
      await pool.query(`
        INSERT INTO ${table} (id, format, state, owner, token, attempt, recovery, retain_ms, retain_unknown_ms,
          fingerprint, since, expires_at)
        SELECT '${id}' || i, 1, 'released', 'o', i, 1, 'refuse', 1, 1, NULL, now(), now() - interval '2 minutes'
        FROM generate_series(1, 2) i`)
      const left = async () => {
        const { rows } = await pool.query<{ id: string }>(`SELECT id FROM ${table} WHERE id LIKE '${id}%'`)
        return rows.map((row) => row.id)
      }
      const claim = await pool.connect()
      await claim.query('BEGIN')
      await claim.query(`UPDATE ${table} SET expires_at = now() + interval '1 hour' WHERE id = '${id}1'`)
      const store = open({ reapEvery: 20 })
      await store.claim(requestFor(randomUUID()))
      // The other one goes while the claim is still open.
      await expect.poll(left, { timeout: 5_000 }).toEqual([`${id}1`])
      await claim.query('COMMIT')
      claim.release()
      await sleep(300)
      expect(await left()).toEqual([`${id}1`])
      await store.close()
    })

    test('deletes what expired a minute ago, in batches, and holds up no claim', async () => {
      const store = open({ reapEvery: 20 })
      await store.claim(requestFor(randomUUID()))
      // Filled by hand, since expiry takes longer than a test may.
      await pool.query(`
        INSERT INTO "${schema}".hapax_record (id, format, state, owner, token, attempt, recovery, retain_ms,
          retain_unknown_ms, fingerprint, since, expires_at)
        SELECT 'old ' || i, 1, 'released', 'o', i, 1, 'refuse', 1, 1, NULL, now(), now() - interval '2 minutes'
        FROM generate_series(1, 3000) i`)
      const leftOf = async (like: string) => {
        const { rows } = await pool.query<{ count: number }>(
          `SELECT count(*)::integer FROM "${schema}".hapax_record WHERE id LIKE $1`,
          [like],
        )
        return rows[0]?.count
      }
      let slowestMs = 0
      let turn = 0
      while ((await leftOf('old %')) !== 0 && turn < 2_000) {
        turn += 1
        const startMs = performance.now()
        // Of new keys, and of those that are being deleted.
        const claims = [requestFor(`new ${turn}`), requestFor(`old ${turn}`)].map((request) =>
          store.claim(request),
        )
        for (const result of await Promise.all(claims)) expect(result.kind).toBe('claimed')
        slowestMs = Math.max(slowestMs, performance.now() - startMs)
        // A claim of ours keeps its record.
        if (turn >= 40) await sleep(20)
        if (turn === 90) break
      }
      expect(await leftOf('new %')).toBe(turn)
      expect(slowestMs).toBeLessThan(1_500)
      const { rows } = await pool.query<{ count: number }>(
        `SELECT count(*)::integer FROM "${schema}".hapax_record WHERE id LIKE 'old %' AND state = 'released'`,
      )
      expect(rows[0]?.count).toBe(0)
      expect(await leftOf('old %')).toBe(turn)
      await store.close()
    })
  })

  test('the table refuses what no record can be', async () => {
    const store = open()
    const lease = await held(store, requestFor(randomUUID()))
    await store.complete(lease, answer('x', { headers: [['a', 'b']] }))
    const damages = [
      "state = 'paused'",
      "recovery = 'maybe'",
      'fingerprint = NULL',
      'since = NULL',
      'token = NULL',
      'status = NULL',
      'body = NULL',
      'headers = NULL',
      "headers = '{a}'",
      "tombstone = 'whim'",
      "tombstone = 'too-large'",
      "takeover = 'lapsed'",
      'lease_until = now()',
      "state = 'unknown'",
      "state = 'running'",
    ]
    for (const damage of damages) {
      const change = pool.query(`UPDATE "${schema}".hapax_record SET ${damage} WHERE id = $1`, [lease.id])
      await expect(change, damage).rejects.toMatchObject({ code: expect.stringMatching(/^(23514|23502)$/) })
    }
    expect(await store.claim(requestFor(lease.id))).toMatchObject({ kind: 'completed' })
    await store.close()
  })

  test('records that the table could not protect are unreadable, never new', async () => {
    const store = open()
    const other = `test ${randomUUID()}`
    const damaged = open({ schema: other })
    const lease = await held(damaged, requestFor('k', { policy: { ...policy, recovery: 'rerun' } }))
    await damaged.complete(lease, answer('x', { headers: [['a', 'b']] }))
    const table = `"${other}".hapax_record`
    await pool.query(`ALTER TABLE ${table} DROP CONSTRAINT hapax_record_is_whole`)
    const damages = [
      "state = 'paused'",
      "recovery = 'maybe'",
      'status = NULL',
      "headers = '{a}'",
      'headers = NULL',
    ]
    for (const damage of [...damages, "owner = '\"'", 'token = 9223372036854775807', 'attempt = -1']) {
      const client = await pool.connect()
      await client.query(`CREATE TEMPORARY TABLE kept AS SELECT * FROM ${table}`)
      await client.query(`UPDATE ${table} SET ${damage}`)
      expect(await damaged.claim(requestFor('k')), damage).toMatchObject({ kind: 'unreadable' })
      expect((await damaged.inspect?.list({ limit: 9 }))?.records, damage).toMatchObject([
        { state: 'unreadable' },
      ])
      await client.query(`DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM kept; DROP TABLE kept`)
      client.release()
    }
    expect(await damaged.claim(requestFor('k'))).toMatchObject({ kind: 'completed' })
    await pool.query(`DROP SCHEMA "${other}" CASCADE`)
    await damaged.close()
    await store.close()
  })
}

async function held(store: Store, request: ClaimRequest): Promise<HeldLease> {
  const result = await store.claim(request)
  if (result.kind !== 'claimed') throw new Error(result.kind)
  return { ...request, token: result.token, attempt: result.attempt, takeover: result.takeover !== undefined }
}
