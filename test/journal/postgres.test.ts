// The journal contract on a real Postgres, with each driver, and what is special about it.
import { afterAll } from 'vitest'
import { startPostgres } from '../../scripts/services/index.ts'
import { journalSchema } from '../../src/journal/index.ts'
import { testJournal } from '../../src/testing/journal.ts'
import { pgSubject, postgresJsSubject } from '../support/journals.ts'
import { servers } from '../support/servers.ts'
import { contractForOtherDrivers, wholeContract } from './apis.ts'
import { postgresPlace, viaPg, viaPostgresJs } from './postgres-places.ts'
import { postgresRecipes } from './postgres-recipes.ts'
import { recipeCases } from './recipes.ts'
import { serverCases } from './server-cases.ts'

const server = await servers(() => startPostgres())
if (server !== undefined) {
  const { url, stop } = server
  const pg = pgSubject(url)
  const postgresJs = postgresJsSubject(url)
  afterAll(async () => {
    await Promise.all([pg.close(), postgresJs.close()])
    await stop()
  })
  testJournal(wholeContract, pg)
  testJournal(contractForOtherDrivers, postgresJs)

  const about = {
    port: Number(new URL(url).port),
    schema: journalSchema('postgres', { schema: '$schema' }).replaceAll('"$schema"', '$schema'),
    newerSchema: 'UPDATE $schema.hapax_journal_meta SET schema_version = 9, min_reader = 9',
  }
  // BEGIN with the settings, the statement, the step, COMMIT; postgres.js sends its settings by themselves.
  serverCases('Postgres with pg', { ...about, transactionTrips: 4, canDelayCommit: true }, () =>
    postgresPlace(url, viaPg),
  )
  serverCases('Postgres with postgres.js', { ...about, transactionTrips: 5, canDelayCommit: false }, () =>
    postgresPlace(url, viaPostgresJs),
  )
  const newPlace = () => postgresPlace(url, viaPg)
  for (const [library, open] of Object.entries(postgresRecipes)) {
    recipeCases(library, newPlace, ({ name }) => open(url, name))
  }
}
