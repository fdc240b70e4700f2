// The whole store contract with the statements that MySQL gets, which can't tell what stands there in the same trip.
import { afterAll } from 'vitest'
import { startMariaDb } from '../../scripts/services/index.ts'
import { asMysql } from '../support/as-mysql.ts'
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
  mysqlContract('MariaDB with the statements of MySQL', places, asMysql)
}
