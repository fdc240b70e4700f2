import { randomUUID } from 'node:crypto'
import { Client, Pool, type PoolClient } from 'pg'
import postgres, { type TransactionSql } from 'postgres'
import { postgresJournal } from '../../src/journal/index.ts'
import type { CommitHook, Connected, ConnectOptions, Place } from './server-cases.ts'

type Driver = (url: string, onCommit: CommitHook | undefined) => OpenDriver

interface OpenDriver {
  readonly client: Parameters<typeof postgresJournal>[0]
  addEffect(schema: string, transaction: unknown): Promise<void>
  close(): Promise<void>
}

/** A schema of its own. */
export async function postgresPlace(url: string, driver: Driver): Promise<Place> {
  const schema = `test_${randomUUID()}`
  const control = new Pool({ connectionString: url, max: 2 })
  await control.query(`CREATE SCHEMA "${schema}"; CREATE TABLE "${schema}".effect (name text)`)
  const count = async (table: string) => {
    const { rows } = await control.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM "${schema}".${table}`,
    )
    return rows[0]?.count ?? 0
  }
  return {
    name: schema,
    connect: (options) => connect(url, schema, driver, options),
    run: async (sql) => void (await control.query(sql.replaceAll('$schema', `"${schema}"`))),
    count,
    effects: () => count('effect'),
    holdHead: async (id) => {
      const client = await control.connect()
      await client.query('BEGIN')
      await client.query(`SELECT 1 FROM "${schema}".hapax_journal WHERE id = $1 FOR SHARE`, [id])
      return async () => {
        await client.query('ROLLBACK')
        client.release()
      }
    },
    destroy: async () => {
      await control.query(`DROP SCHEMA "${schema}" CASCADE`)
      await control.end()
    },
  }
}

function connect(url: string, schema: string, driver: Driver, options: ConnectOptions = {}): Connected {
  const { port, onCommit, isolation, ...others } = options
  const target = new URL(url)
  if (port !== undefined) target.port = String(port)
  if (isolation !== undefined) target.searchParams.set('options', settingOf(isolation))
  const { client, addEffect, close } = driver(target.href, onCommit)
  const journal = postgresJournal(client, { schema, ...others })
  let closing: Promise<void> | undefined
  return {
    journal,
    addEffect: (transaction) => addEffect(schema, transaction),
    close: () => (closing ??= journal.close().then(close)),
  }
}

function settingOf(isolation: string): string {
  return `-c default_transaction_isolation=${isolation.replace(' ', '\\ ')}`
}

export const viaPg: Driver = (url, onCommit) => {
  class HookedClient extends Client {
    override query(...given: unknown[]): never {
      if (given[0] !== 'COMMIT') return Reflect.apply(super.query, this, given) as never
      return this.#commit(given) as never
    }

    async #commit(given: unknown[]): Promise<unknown> {
      const delay = onCommit?.before()
      if (delay !== undefined) await delay
      const result = Reflect.apply(super.query, this, given) as Promise<unknown>
      onCommit?.after()
      return result
    }
  }
  const pool = new Pool({ connectionString: url, max: 5, Client: HookedClient })
  pool.on('error', () => {})
  return {
    client: pool,
    addEffect: async (schema, transaction) => {
      await (transaction as PoolClient).query(`INSERT INTO "${schema}".effect VALUES ('order')`)
    },
    close: () => pool.end(),
  }
}

export const viaPostgresJs: Driver = (url, onCommit) => {
  const sql = postgres(url, {
    max: 5,
    onnotice: () => {},
    debug: (_connection, query) => {
      if (query !== 'commit') return
      void onCommit?.before()
      onCommit?.after()
    },
  })
  return {
    client: sql,
    addEffect: async (schema, transaction) => {
      await (transaction as TransactionSql).unsafe(`INSERT INTO "${schema}".effect VALUES ('order')`)
    },
    close: () => sql.end({ timeout: 1 }),
  }
}
