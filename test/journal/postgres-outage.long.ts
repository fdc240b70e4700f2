// The journal's Postgres is killed and started again while handlers run: what was told is there, nothing is there twice.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool, type PoolClient } from 'pg'
import { afterAll, describe, expect, test } from 'vitest'
import { startOwnPostgres } from '../../scripts/services/index.ts'
import { isIdempotencyError } from '../../src/core/errors.ts'
import { createIdempotency, memoryStore } from '../../src/index.ts'
import { postgresJournal } from '../../src/journal/index.ts'
import { servers } from '../support/servers.ts'

const server = await servers(() => startOwnPostgres())
if (server !== undefined) {
  const pool = new Pool({ connectionString: server.url, connectionTimeoutMillis: 1_000 })
  pool.on('error', () => {})
  await pool.query('CREATE TABLE orders (key text NOT NULL)')
  afterAll(async () => {
    await pool.end()
    await server.stop()
  })

  describe.each(['rerun', 'refuse'] as const)('under recovery "%s"', (recovery) => {
    test('Postgres killed under load: nothing lost, nothing doubled, connections recover', async () => {
      const once = createIdempotency({
        store: memoryStore(),
        journal: postgresJournal(pool),
        storeTimeout: '1s',
        on: () => {},
      })
      const told = new Map<string, string>()
      const words = new Map<string, number>()
      const call = async (key: string): Promise<string> => {
        const word = await once
          .run({ key, scope: false, recovery }, async ({ transaction }) =>
            transaction('order', async (native) => {
              // pg's own, as the journal was given pg's pool.
              const client = native as PoolClient
              await client.query('INSERT INTO orders VALUES ($1)', [key])
              return randomUUID()
            }),
          )
          .then(
            (receipt) => {
              expect(told.get(key) ?? receipt).toBe(receipt)
              told.set(key, receipt)
              return 'told'
            },
            (error: unknown) => (isIdempotencyError(error) ? error.code : 'failed'),
          )
        words.set(word, (words.get(word) ?? 0) + 1)
        return word
      }
      const keys: string[] = []
      const state = { isOver: false }
      const clients = Array.from({ length: 8 }, async () => {
        while (!state.isOver) {
          const key = randomUUID()
          keys.push(key)
          if ((await call(key)) !== 'told') await sleep(20)
        }
      })
      await sleep(500)
      await server.kill()
      await sleep(700)
      await server.restart()
      const backMs = performance.now()
      while ((await call(randomUUID())) !== 'told') await sleep(20)
      expect(performance.now() - backMs, 'ms until service was back').toBeLessThan(3_000)
      await sleep(500)
      state.isOver = true
      await Promise.all(clients)

      expect(words.get('told')).toBeGreaterThan(100)
      expect(
        [...words.values()].reduce((sum, count) => sum + count) - (words.get('told') ?? 0),
      ).toBeGreaterThan(0)
      const again = await Promise.all(keys.map(call))
      const { rows } = await pool.query('SELECT key, count(*)::int AS count FROM orders GROUP BY key')
      const counts = new Map(rows.map(({ key, count }) => [String(key), Number(count)]))
      expect([...counts].filter(([, count]) => count > 1)).toEqual([])
      expect([...told.keys()].filter((key) => !counts.has(key))).toEqual([])
      expect(again.filter((word) => word === 'in-progress' || word === 'store-unavailable')).toEqual([])
      if (recovery === 'rerun') expect(again.filter((word) => word !== 'told')).toEqual([])
      await once.close()
    })
  })
}
