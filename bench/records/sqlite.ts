import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { removeFolder, temporaryFolder } from '../../scripts/services/processes.ts'
import { type RecordCost, withGuarded } from './cost.ts'

const traffics = ['first', 'replay'] as const

export async function sqliteCosts(requests: number): Promise<RecordCost[]> {
  const folder = temporaryFolder('bench-records')
  const file = join(folder, 'records.db')
  try {
    return await withGuarded('sqlite', { file }, async (send) => {
      const costs: RecordCost[] = []
      for (const traffic of traffics) {
        const before = fileBytes(file)
        await send(traffic, requests)
        costs.push({
          store: 'SQLite',
          traffic,
          commands: undefined,
          counted: 'a file of this process: no commands',
          bytesToStore: undefined,
          bytesFromStore: undefined,
          bytesLogged: undefined,
          bytesKept: (fileBytes(file) - before) / requests,
        })
      }
      return costs
    })
  } finally {
    removeFolder(folder)
  }
}

/** With all that its write-ahead log held. */
function fileBytes(file: string): number {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA busy_timeout = 5000; PRAGMA wal_checkpoint(TRUNCATE)')
  database.close()
  return statSync(file).size
}
