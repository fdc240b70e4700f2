// The operator's commands on a real MariaDB.
import { createPool } from 'mysql2/promise'
import { afterAll, expect, test } from 'vitest'
import { startMariaDb } from '../../scripts/services/index.ts'
import { mysqlStore } from '../../src/stores/mysql.ts'
import { servers } from '../support/servers.ts'
import { answer } from '../stores/requests.ts'
import { mustClaim } from '../stores/verbs.ts'
import { runCli } from './run-cli.ts'

const server = await servers(() => startMariaDb())
if (server !== undefined) {
  afterAll(() => server.stop())

  test('migrate makes the tables, and keys finds and settles what is stuck there', async () => {
    const without = await runCli('keys', 'list', '--store', server.url)
    expect(without.exitCode).toBe(2)
    expect(without.stderr).toMatch(/hapax migrate/)
    const migrated = await runCli('migrate', '--store', server.url)
    expect(migrated).toMatchObject({ exitCode: 0, stdout: 'The tables are up to date.\n' })

    const pool = createPool(server.url)
    const store = mysqlStore(pool, { migrate: false })
    const stuck = await mustClaim(store, 'stuck', { label: { key: 'order-17', scope: 'user-1' } })
    await store.complete(stuck, { kind: 'unknown' })
    await store.complete(await mustClaim(store, 'done'), answer('x'))
    const listed = await runCli('keys', 'list', '--store', server.url, '--state', 'unknown')
    expect(listed.exitCode).toBe(0)
    expect(listed.stdout).toMatch(/order-17/)
    await store.close()
    await pool.end()
  })

  test('the printed SQL can be run by any client, twice', async () => {
    const { stdout } = await runCli('migrate', '--print', '--dialect', 'mysql')
    const pool = createPool({ uri: server.url, multipleStatements: true })
    await pool.query(stdout)
    await pool.query(stdout)
    await pool.end()
  })
}
