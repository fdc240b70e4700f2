import { randomUUID } from 'node:crypto'
import { createPool, type PoolConnection, type RowDataPacket } from 'mysql2/promise'
import { mysqlJournal } from '../../src/journal/index.ts'
import type { CommitHook, Connected, ConnectOptions, Place } from './server-cases.ts'

/** A database of its own. */
export async function mysqlPlace(url: string): Promise<Place> {
  const database = `test_${randomUUID().replaceAll('-', '')}`
  const control = createPool({ uri: url, connectionLimit: 2, multipleStatements: true })
  await control.query(`CREATE DATABASE ${database}`)
  await control.query(`CREATE TABLE ${database}.effect (name VARCHAR(100)) ENGINE = InnoDB`)
  const count = async (table: string) => {
    const [rows] = await control.query<RowDataPacket[]>(`SELECT COUNT(*) AS count FROM ${database}.${table}`)
    return Number(rows[0]?.['count'])
  }
  const own = new URL(url)
  own.pathname = `/${database}`
  return {
    name: own.href,
    connect: (options) => connect(url, database, options),
    run: async (sql) => void (await control.query(`USE ${database}; ${sql}`)),
    count,
    effects: () => count('effect'),
    holdHead: async (id) => {
      const connection = await control.getConnection()
      await connection.beginTransaction()
      const text = `SELECT 1 FROM ${database}.hapax_journal WHERE id = ? LOCK IN SHARE MODE`
      await connection.query(text, [id])
      return async () => {
        await connection.rollback()
        connection.release()
      }
    },
    destroy: async () => {
      await control.query(`DROP DATABASE ${database}`)
      await control.end()
    },
  }
}

function connect(url: string, database: string, options: ConnectOptions = {}): Connected {
  const { port, onCommit, isolation, ...others } = options
  const target = new URL(url)
  target.pathname = `/${database}`
  if (port !== undefined) target.port = String(port)
  const pool = createPool({ uri: target.href, connectionLimit: 5 })
  if (isolation !== undefined) {
    pool.pool.on('connection', (connection) => {
      connection.query(`SET SESSION TRANSACTION ISOLATION LEVEL ${isolation}`)
    })
  }
  const journal = mysqlJournal(onCommit === undefined ? pool : hooked(pool, onCommit), others)
  let closing: Promise<void> | undefined
  return {
    journal,
    addEffect: async (transaction) => {
      await (transaction as PoolConnection).query("INSERT INTO effect VALUES ('order')")
    },
    close: () => (closing ??= journal.close().then(() => pool.end())),
  }
}

function hooked(
  pool: ReturnType<typeof createPool>,
  onCommit: CommitHook,
): Parameters<typeof mysqlJournal>[0] {
  return {
    query: (text, values) => pool.query(text, values),
    getConnection: async () => {
      const connection = await pool.getConnection()
      return {
        query: async (text, values) => {
          if (text !== 'COMMIT') return connection.query(text, values)
          const delay = onCommit.before()
          if (delay !== undefined) await delay
          const result = connection.query(text, values)
          onCommit.after()
          return result
        },
        release: () => connection.release(),
        destroy: () => connection.destroy(),
      }
    },
  }
}
