// The whole store contract on a real server, for each client that the store takes.
import { randomUUID } from 'node:crypto'
import { Pool } from 'pg'
import { afterAll, describe, test } from 'vitest'
import { startPostgres } from '../../scripts/services/index.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { testStore } from '../../src/testing/store.ts'
import { type OpenPool, pools } from '../support/postgres-clients.ts'
import { servers } from '../support/servers.ts'

const server = await servers(() => startPostgres())
if (server !== undefined) {
  const control = new Pool({ connectionString: server.url, max: 4 })
  afterAll(async () => {
    await control.end()
    await server.stop()
  })
  const places: Places = { free: [], made: new Set() }
  afterAll(async () => {
    for (const schema of places.made) await control.query(`DROP SCHEMA "${schema}" CASCADE`)
  })
  for (const [name, open] of Object.entries(pools))
    contract(name, open(server.url), open(server.url), control, places)
}

interface Places {
  /** Schemas that no case uses now. */
  readonly free: string[]
  readonly made: Set<string>
}

function contract(name: string, one: OpenPool, other: OpenPool, control: Pool, { free, made }: Places): void {
  // Two pools stand for two processes; all stores of a contract share them, as routes of an app do.
  afterAll(() => Promise.all([one.close(), other.close()]))
  let turn = 0
  // Each case has tables of its own, and most of its time is waiting for a lease to end.
  testStore<string>(
    { describe, test: test.concurrent },
    {
      name,
      capabilities: { shared: true, watch: true, inspect: true },
      create: () => free.pop() ?? `test ${randomUUID()}`,
      connect: (schema) => {
        turn += 1
        return postgresStore((turn % 2 === 0 ? one : other).client, { schema, silence: ['postgres-forgets'] })
      },
      // Tables take longer to make than most cases take: the next case gets them, emptied.
      destroy: async (schema) => {
        const { rows } = await control.query('SELECT to_regclass($1) AS made', [`"${schema}".hapax_record`])
        // One case asks the store for nothing that needs them.
        if (rows[0]?.made === null) return
        made.add(schema)
        await control.query(`DELETE FROM "${schema}".hapax_record`)
        free.push(schema)
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
