// The journal contract on a real MariaDB, and what is special about it.
import { afterAll } from 'vitest'
import { startMariaDb } from '../../scripts/services/index.ts'
import { journalSchema } from '../../src/journal/index.ts'
import { testJournal } from '../../src/testing/journal.ts'
import { mysqlSubject } from '../support/journals.ts'
import { servers } from '../support/servers.ts'
import { wholeContract } from './apis.ts'
import { mysqlPlace } from './mysql-places.ts'
import { mysqlRecipes } from './mysql-recipes.ts'
import { recipeCases } from './recipes.ts'
import { serverCases } from './server-cases.ts'

const server = await servers(() => startMariaDb())
if (server !== undefined) {
  const { url, port, stop } = server
  const subject = mysqlSubject(url)
  afterAll(async () => {
    await subject.close()
    await stop()
  })
  testJournal(wholeContract, subject)

  const about = {
    port,
    schema: journalSchema('mysql'),
    newerSchema: 'UPDATE hapax_journal_meta SET schema_version = 9, min_reader = 9',
    // The settings, START TRANSACTION, the statement, the step, COMMIT, and the settings as they were.
    transactionTrips: 6,
    canDelayCommit: true,
  }
  serverCases('MariaDB', about, () => mysqlPlace(url))
  for (const [library, open] of Object.entries(mysqlRecipes)) {
    recipeCases(
      library,
      () => mysqlPlace(url),
      ({ name }) => open(name),
    )
  }
}
