// The store against the pure rules: the same random verbs on both must give the same results and records.
import { afterAll, describe, test } from 'vitest'
import { startMariaDb } from '../../scripts/services/index.ts'
import { mysqlStore } from '../../src/stores/mysql.ts'
import { asMysql } from '../support/as-mysql.ts'
import { MysqlPlaces } from '../support/mysql-places.ts'
import { servers } from '../support/servers.ts'
import { anyVerbs, assertFollowsRules, verbsAfterForgetting } from '../support/store-model.ts'

const server = await servers(() => startMariaDb())
if (server !== undefined) {
  const places = new MysqlPlaces(server.url)
  const { pools } = await places.take()
  afterAll(async () => {
    await places.close()
    await server.stop()
  })
  for (const [name, pool] of [
    ['MariaDB', pools[0]],
    ['MySQL', asMysql(pools[1])],
  ] as const) {
    describe(`with the statements of ${name}`, () => {
      const store = mysqlStore(pool)
      afterAll(() => store.close())
      const modelled = { store, keepsTokens: true }
      test('random verbs do what the rules say', () => assertFollowsRules(modelled, anyVerbs(), 80))
      test('random verbs on a store that forgot later claims do what the rules say', () =>
        assertFollowsRules(modelled, verbsAfterForgetting(), 80))
    })
  }
}
