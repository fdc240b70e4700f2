// The whole journal contract on real databases, for each driver.
import { afterAll, describe, test } from 'vitest'
import { startMariaDb, startPostgres } from '../../scripts/services/index.ts'
import { testJournal } from '../../src/testing/journal.ts'
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
const api = { describe, test: test.concurrent }

const postgres = await servers(() => startPostgres())
if (postgres !== undefined) {
  const subjects = [pgSubject(postgres.url), postgresJsSubject(postgres.url)]
  afterAll(async () => {
    await Promise.all(subjects.map((subject) => subject.close()))
    await postgres.stop()
  })
  for (const subject of subjects) testJournal(api, subject)
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
testJournal(api, sqliteSubject('node:sqlite', openNodeSqlite, false))
testJournal(api, sqliteSubject('libsql', openLibsql, false))
