import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { removeFolder, temporaryFolder } from '../../scripts/services/processes.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { type Bare, type Filled, filledId, firstRequest } from './filled.ts'

const template = 'template'
/** About what a record of this size takes. */
const valueBytes = 480

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
    bare: bareTable(join(folder, 'bare.db'), file),
    close: async () => {
      await store.close()
      removeFolder(folder)
    },
  }
}

/**
 * A table of a key and a value as long as a record, in a file of its own. Its writes are committed one by one, without
 * a wait for the disk: what they are compared with is themselves, in a smaller table.
 */
function bareTable(file: string, likeFile: string): Bare {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF')
  database.exec('CREATE TABLE bare (id TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID')
  const insert = database.prepare('INSERT INTO bare VALUES (?, ?)')
  const update = database.prepare('UPDATE bare SET value = ? WHERE id = ?')
  const select = database.prepare('SELECT value FROM bare WHERE id = ?')
  const [claimed, completed] = [Buffer.alloc(valueBytes / 2), Buffer.alloc(valueBytes)]
  // In the order of the keys, or it would take ten times as long.
  database.prepare('ATTACH ? AS store').run(likeFile)
  database.exec(`
    PRAGMA cache_size = -2000000;
    INSERT INTO bare SELECT id, zeroblob(${valueBytes}) FROM store.hapax_record ORDER BY id;
    DETACH store; PRAGMA wal_checkpoint(TRUNCATE); PRAGMA cache_size = -2000`)
  return {
    first: async (id) => {
      insert.run(id, claimed)
      update.run(completed, id)
    },
    read: async (id) => void select.get(id),
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
