import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { removeFolder, temporaryFolder } from '../../scripts/services/processes.ts'
import type { Home, HomeOptions } from './home.ts'

export async function sqliteHome({ smallDisk }: HomeOptions): Promise<Home> {
  const folder = smallDisk ?? temporaryFolder('chaos-sqlite')
  const file = join(folder, 'records.db')
  return {
    name: 'sqlite',
    address: `sqlite:${file}`,
    version: `SQLite ${sqliteVersion()}`,
    processes: 3,
    faults: {
      'store frozen': async () => {
        // Another program of the machine that holds the file's lock: a backup, a shell.
        const holder = new DatabaseSync(file)
        holder.exec('PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE')
        await new Promise((resolve) => setTimeout(resolve, 1_500))
        holder.exec('ROLLBACK')
        holder.close()
      },
    },
    stop: async () => {
      if (smallDisk === undefined) removeFolder(folder)
    },
  }
}

function sqliteVersion(): string {
  const database = new DatabaseSync(':memory:')
  const row = database.prepare('SELECT sqlite_version() AS version').get()
  database.close()
  return String(row?.['version'])
}
