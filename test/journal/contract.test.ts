// The whole journal contract on real databases, for each driver.
import { afterAll, describe, test } from 'vitest'
import { startMariaDb, startPostgres } from '../../scripts/services/index.ts'
import { testJournal } from '../../src/testing/journal.ts'
import type { TestApi } from '../../src/testing/store.ts'
import {
  mysqlSubject,
  openLibsql,
  openNodeSqlite,
  pgSubject,
  postgresJsSubject,
  sqliteSubject,
} from '../support/journals.ts'
import { servers } from '../support/servers.ts'

// Each case has a place of its own.
const api: TestApi = { describe, test: test.concurrent }

/** What is said to the database is the same; these groups depend on how a driver runs a transaction. */
const groupsForOtherDrivers = new Set(['transact', 'within', 'close'])
const apiForOtherDrivers: TestApi = {
  test: test.concurrent,
  describe: (name, body) => {
    if (name.startsWith('journal contract') || groupsForOtherDrivers.has(name)) describe(name, body)
  },
}

const postgres = await servers(() => startPostgres())
if (postgres !== undefined) {
  const pg = pgSubject(postgres.url)
  const postgresJs = postgresJsSubject(postgres.url)
  afterAll(async () => {
    await Promise.all([pg.close(), postgresJs.close()])
    await postgres.stop()
  })
  testJournal(api, pg)
  testJournal(apiForOtherDrivers, postgresJs)
}

const mariaDb = await servers(() => startMariaDb())
if (mariaDb !== undefined) {
  const subject = mysqlSubject(mariaDb.url)
  afterAll(async () => {
    await subject.close()
    await mariaDb.stop()
  })
  testJournal(api, subject)
}

testJournal(api, sqliteSubject('the path of a file', openNodeSqlite, true))
testJournal(apiForOtherDrivers, sqliteSubject('libsql', openLibsql, false))
