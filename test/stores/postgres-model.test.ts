// The statements against the pure rules: the same random verbs on both must give the same results and records.
import { afterAll, test } from 'vitest'
import { startPostgres } from '../../scripts/services/index.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { placeOf } from '../support/postgres-places.ts'
import { servers } from '../support/servers.ts'
import { anyVerbs, assertFollowsRules, verbsAfterForgetting } from '../support/store-model.ts'

const server = await servers(() => startPostgres())
if (server !== undefined) {
  afterAll(() => server.stop())
  const { pool, schema } = placeOf(server.url)
  const store = postgresStore(pool, { schema, silence: ['postgres-forgets'] })
  afterAll(() => store.close())
  const modelled = { store, keepsTokens: true }
  test('random verbs do to Postgres what the rules say', async () => {
    await assertFollowsRules(modelled, anyVerbs(), 250)
  })
  test('random verbs on a store that forgot later claims do what the rules say', async () => {
    await assertFollowsRules(modelled, verbsAfterForgetting(), 250)
  })
}
