// The journals and drivers that are tested, each on a real database, with a table of effects beside the journal's.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import Database from 'libsql'
import { createPool, type PoolConnection, type RowDataPacket } from 'mysql2/promise'
import { Pool, type PoolClient } from 'pg'
import postgres, { type TransactionSql } from 'postgres'
import { mysqlJournal, postgresJournal, sqliteJournal } from '../../src/journal/index.ts'
import type { SqliteDatabase } from '../../src/stores/sqlite/handle.ts'
import type { JournalSubject, OwnTransaction } from '../../src/testing/journal.ts'
import { deferred } from './deferred.ts'

/** Of Postgres: pools that all places share, each place being a schema. */
export function pgSubject(url: string): JournalSubject<string> & { close(): Promise<void> } {
  const pool = new Pool({ connectionString: url, max: 10 })
  return {
    ...postgresPlaces(pool),
    name: 'postgresJournal with pg',
    capabilities: { concurrent: true },
    connect: (schema) => postgresJournal(pool, { schema }),
    addEffect: async (schema, transaction, effect) => {
      await (transaction as PoolClient).query(`INSERT INTO "${schema}".effect VALUES ($1)`, [effect])
    },
    begin: async () => {
      const client = await pool.connect()
      await client.query('BEGIN')
      const end = async (how: string) => {
        await client.query(how)
        client.release()
      }
      return { within: client, commit: () => end('COMMIT'), rollBack: () => end('ROLLBACK') }
    },
    idle: async () => {
      const client = await pool.connect()
      const release = async () => client.release()
      return { within: client, commit: release, rollBack: release }
    },
    close: () => pool.end(),
  }
}

export function postgresJsSubject(url: string): JournalSubject<string> & { close(): Promise<void> } {
  const pool = new Pool({ connectionString: url, max: 4 })
  const sql = postgres(url, { max: 10, onnotice: () => {}, transform: postgres.camel })
  return {
    ...postgresPlaces(pool),
    name: 'postgresJournal with postgres.js',
    capabilities: { concurrent: true },
    connect: (schema) => postgresJournal(sql, { schema }),
    addEffect: async (schema, transaction, effect) => {
      const inside = transaction as TransactionSql
      await inside`INSERT INTO ${inside(`${schema}.effect`)} VALUES (${effect})`
    },
    begin: () => beginPostgresJs(sql),
    idle: async () => ({ within: sql, commit: async () => {}, rollBack: async () => {} }),
    close: async () => {
      await sql.end({ timeout: 1 })
      await pool.end()
    },
  }
}

function postgresPlaces(pool: Pool) {
  return {
    create: async () => {
      const schema = `test_${randomUUID()}`
      await pool.query(`CREATE SCHEMA "${schema}"; CREATE TABLE "${schema}".effect (name text)`)
      return schema
    },
    destroy: async (schema: string) => {
      await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
    },
    effects: async (schema: string, effect: string) => {
      const text = `SELECT count(*)::int AS count FROM "${schema}".effect WHERE name = $1`
      const { rows } = await pool.query<{ count: number }>(text, [effect])
      return rows[0]?.count ?? 0
    },
  }
}

async function beginPostgresJs(sql: postgres.Sql): Promise<OwnTransaction> {
  const begun = deferred<TransactionSql>()
  const ending = deferred<'commit' | 'rollback'>()
  const running = sql.begin(async (transaction) => {
    begun.resolve(transaction)
    if ((await ending.promise) === 'rollback') throw new Error('rolled back')
  })
  return {
    within: await begun.promise,
    commit: async () => {
      ending.resolve('commit')
      await running
    },
    rollBack: async () => {
      ending.resolve('rollback')
      await running.catch(() => {})
    },
  }
}

type MysqlPlace = { readonly database: string; readonly pool: ReturnType<typeof createPool> }

/** Of MariaDB: a database for each place, and a pool of its own. */
export function mysqlSubject(url: string): JournalSubject<MysqlPlace> & { close(): Promise<void> } {
  const control = createPool({ uri: url, connectionLimit: 2 })
  return {
    name: 'mysqlJournal with mysql2',
    capabilities: { concurrent: true },
    create: async () => {
      const database = `test_${randomUUID().replaceAll('-', '')}`
      await control.query(`CREATE DATABASE ${database}`)
      await control.query(`CREATE TABLE ${database}.effect (name VARCHAR(100)) ENGINE = InnoDB`)
      const uri = new URL(url)
      uri.pathname = `/${database}`
      return { database, pool: createPool({ uri: uri.href, connectionLimit: 6 }) }
    },
    connect: ({ pool }) => mysqlJournal(pool),
    destroy: async ({ database, pool }) => {
      await pool.end()
      await control.query(`DROP DATABASE ${database}`)
    },
    addEffect: async (_place, transaction, effect) => {
      await (transaction as PoolConnection).query('INSERT INTO effect VALUES (?)', [effect])
    },
    effects: async ({ database }, effect) => {
      const text = `SELECT COUNT(*) AS count FROM ${database}.effect WHERE name = ?`
      const [rows] = await control.query<RowDataPacket[]>(text, [effect])
      return Number(rows[0]?.['count'])
    },
    begin: async ({ pool }) => {
      const connection = await pool.getConnection()
      await connection.beginTransaction()
      const end = async (how: 'commit' | 'rollback') => {
        await connection[how]()
        connection.release()
      }
      return { within: connection, commit: () => end('commit'), rollBack: () => end('rollback') }
    },
    idle: async ({ pool }) => {
      const connection = await pool.getConnection()
      const release = async () => connection.release()
      return { within: connection, commit: release, rollBack: release }
    },
    close: () => control.end(),
  }
}

/** Of SQLite: a file for each place. */
export function sqliteSubject(
  name: string,
  open: (path: string) => SqliteDatabase & { close(): unknown },
  isPath: boolean,
): JournalSubject<string> {
  const opened = new Map<string, Array<{ close(): unknown }>>()
  const openAt = (path: string) => {
    const database = open(path)
    opened.set(path, [...(opened.get(path) ?? []), database])
    return database
  }
  const transactionOn = async (path: string, isBegun: boolean): Promise<OwnTransaction> => {
    const database = openAt(path)
    if (isBegun) database.exec('BEGIN IMMEDIATE')
    const end = async (how: string) => void (isBegun && database.exec(how))
    return { within: database, commit: () => end('COMMIT'), rollBack: () => end('ROLLBACK') }
  }
  return {
    name: `sqliteJournal with ${name}`,
    capabilities: { concurrent: false },
    create: () => {
      const path = join(mkdtempSync(join(tmpdir(), 'hapax-journal-')), 'app.db')
      openAt(path).exec('CREATE TABLE effect (name TEXT)')
      return path
    },
    connect: (path) => sqliteJournal(isPath ? path : openAt(path), { busyTimeout: '5s' }),
    destroy: (path) => {
      for (const database of opened.get(path) ?? []) database.close()
      rmSync(join(path, '..'), { recursive: true })
    },
    addEffect: (_path, transaction, effect) => {
      const database = transaction as SqliteDatabase
      database.prepare('INSERT INTO effect VALUES (?)').run(effect)
    },
    effects: async (path, effect) => {
      const row = openAt(path).prepare('SELECT count(*) AS count FROM effect WHERE name = ?').get(effect)
      return (row as { count: number }).count
    },
    begin: (path) => transactionOn(path, true),
    idle: (path) => transactionOn(path, false),
  }
}

export const openNodeSqlite = (path: string) => new DatabaseSync(path)
export const openLibsql = (path: string) => new Database(path)
