import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import Libsql from 'libsql'
import type { Store } from '../../../src/core/store.ts'
import type { SqliteDatabase } from '../../../src/stores/sqlite.ts'
import type { StoreSubject } from '../../../src/testing/index.ts'
import { ManualClock } from '../manual-clock.ts'

interface Handle extends SqliteDatabase {
  close(): unknown
}

export type Open = (file: string) => Handle

export const openNode: Open = (file) => new DatabaseSync(file)
export const openLibsql: Open = (file) => new Libsql(file)

export interface Place {
  readonly folder: string
  readonly file: string
  readonly clock: ManualClock
  readonly handles: Handle[]
}

/** In memory where the machine has such a folder: hundreds of small files would else wait for the disk. */
const fastestFolder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

export function createPlace(parent = fastestFolder): Place {
  const folder = mkdtempSync(join(parent, 'hapax-sqlite-'))
  return { folder, file: join(folder, 'keys.db'), clock: new ManualClock(), handles: [] }
}

export function destroyPlace({ folder, handles }: Place): void {
  for (const handle of handles) handle.close()
  rmSync(folder, { recursive: true })
}

/**
 * Records are tampered with through the library that the store uses: two libraries in one process do not see
 * each other's locks, and the first to close would remove the other's log.
 */
export function sqliteSubject(
  name: string,
  open: Open,
  connect: (place: Place) => Store,
): StoreSubject<Place> {
  return {
    name: `sqlite, ${name}`,
    capabilities: { shared: true, watch: true, inspect: true },
    create: () => createPlace(),
    connect,
    destroy: destroyPlace,
    corrupt: ({ file }, id) => change(open(file), "response = '{', owner = '\"'", id),
    makeNewer: ({ file }, id) => change(open(file), 'format = format + 1', id),
  }
}

function change(database: Handle, assignments: string, id: string): void {
  database.exec('PRAGMA busy_timeout = 1000')
  database.prepare(`UPDATE hapax_record SET ${assignments} WHERE id = ?`).run(id)
  const { changes } = Object(database.prepare('SELECT changes() AS changes').get())
  database.close()
  if (changes !== 1) throw new Error(`no record ${id} to change`)
}
