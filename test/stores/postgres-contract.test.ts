// The whole store contract on a real server, for each client that the store takes.
import { randomUUID } from 'node:crypto'
import { Pool } from 'pg'
import { afterAll, describe, test } from 'vitest'
import { startPostgres } from '../../scripts/services/index.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { testStore } from '../../src/testing/store.ts'
import { pools } from '../support/postgres-clients.ts'
import { servers } from '../support/servers.ts'

const server = await servers(() => startPostgres())
if (server !== undefined) {
  const control = new Pool({ connectionString: server.url, max: 4 })
  afterAll(async () => {
    await control.end()
    await server.stop()
  })
  for (const [name, open] of Object.entries(pools)) contract(name, open, server.url, control)
}

function contract(name: string, open: (typeof pools)[string], url: string, control: Pool): void {
  // Two pools stand for two processes; all stores of a contract share them, as routes of an app do.
  const opened = [open(url), open(url)]
  afterAll(() => Promise.all(opened.map(({ close }) => close())))
  let turn = 0
  // Each case has tables of its own, and most of its time is waiting for a lease to end.
  testStore<string>(
    { describe, test: test.concurrent },
    {
      name,
      capabilities: { shared: true, watch: true, inspect: true },
      create: () => `test ${randomUUID()}`,
      connect: (schema) => {
        turn += 1
        const pool = opened[turn % 2]
        if (pool === undefined) throw new Error('There is no pool.')
        return postgresStore(pool.client, { schema, silence: ['postgres-forgets'] })
      },
      destroy: async (schema) => {
        await control.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
      },
      // The table's own rules refuse what format 1 can't be.
      corrupt: async (schema, id) => {
        await control.query(
          `UPDATE "${schema}".hapax_record SET format = 0, state = 'paused' WHERE id = $1`,
          [id],
        )
      },
      makeNewer: async (schema, id) => {
        await control.query(`UPDATE "${schema}".hapax_record SET format = 2 WHERE id = $1`, [id])
      },
    },
  )
}
