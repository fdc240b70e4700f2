// The whole store contract on a real MariaDB. `mysql-statements.long.ts` sends it what MySQL gets.
import { afterAll } from 'vitest'
import { startMariaDb } from '../../scripts/services/index.ts'
import { mysqlContract } from '../support/mysql-contract.ts'
import { MysqlPlaces } from '../support/mysql-places.ts'
import { servers } from '../support/servers.ts'

const server = await servers(() => startMariaDb())
if (server !== undefined) {
  const places = new MysqlPlaces(server.url)
  afterAll(async () => {
    await places.close()
    await server.stop()
  })
  mysqlContract('MariaDB', places, (pool) => pool)
}
