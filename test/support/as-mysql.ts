import type { Pool } from 'mysql2/promise'
import type { MysqlPool, MysqlQuery } from '../../src/stores/mysql.ts'

/** A MariaDB that does not say that it is one, so that the store sends it only what MySQL understands too. */
export function asMysql(pool: Pool): MysqlPool {
  const send = (target: Pick<Pool, 'query'>, options: MysqlQuery) =>
    target.query({ ...options, sql: options.sql.replace('VERSION()', "'8.4.0'") })
  return {
    query: (options) => send(pool, options),
    async getConnection() {
      const connection = await pool.getConnection()
      return {
        query: (options) => send(connection, options),
        release: () => connection.release(),
        destroy: () => connection.destroy(),
      }
    },
  }
}
