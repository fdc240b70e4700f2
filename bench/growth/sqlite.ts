import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { removeFolder, temporaryFolder } from '../../scripts/services/processes.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { type Filled, filledId, firstRequest } from './filled.ts'

const template = 'template'

/** One real record, under many ids. */
export async function filledSqlite(records: number): Promise<Filled> {
  const folder = temporaryFolder('growth')
  const file = join(folder, 'records.db')
  const first = sqliteStore(file)
  await firstRequest(first, template)
  await first.close()
  fill(file, records)
  const store = sqliteStore(file)
  return {
    name: 'SQLite',
    records,
    store,
    bytesPerRecord: statSync(file).size / records,
    meter: undefined,
    close: async () => {
      await store.close()
      removeFolder(folder)
    },
  }
}

function fill(file: string, records: number): void {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA synchronous = OFF; PRAGMA cache_size = -2000000')
  const columns = database
    .prepare("SELECT name FROM pragma_table_info('hapax_record') WHERE name NOT IN ('position', 'id')")
    .all()
    .map(({ name }) => String(name))
  const insert = database.prepare(
    `INSERT INTO hapax_record (id, ${columns.join()}) SELECT ?, ${columns.join()} FROM hapax_record WHERE id = ?`,
  )
  database.exec('BEGIN')
  for (let index = 0; index < records; index += 1) insert.run(filledId(index), template)
  database.exec('COMMIT; PRAGMA wal_checkpoint(TRUNCATE)')
  database.close()
}
