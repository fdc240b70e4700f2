import type { MysqlPool } from '../../stores/mysql.ts'
import { CommandFailure } from '../failure.ts'
import { installedDriver } from './driver.ts'

export interface MysqlConnection {
  readonly pool: MysqlPool
  close(): Promise<void>
}

/** What `mysql2/promise` exports, as far as it is used here. */
interface Mysql2 {
  createPool(options: object): MysqlPool & { end(): Promise<void> }
}

/**
 * A pool of one connection. Nothing is sent yet.
 *
 * @throws CommandFailure where mysql2 is not installed.
 */
export async function connectMysql(url: string): Promise<MysqlConnection> {
  const driver = await installedDriver(['mysql2/promise'])
  if (driver === undefined) throw new CommandFailure('MySQL needs a client: run "npm install mysql2".')
  // Only its name is known of the module.
  const pool = (driver.module as Mysql2).createPool({ uri: url, connectionLimit: 1 })
  return { pool, close: () => pool.end() }
}
