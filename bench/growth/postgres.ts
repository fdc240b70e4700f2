import { Pool } from 'pg'
import { startOwnPostgres } from '../../scripts/services/index.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { statementsFor } from '../../src/stores/postgres/statements.ts'
import { type Bare, type Filled, firstRequest } from './filled.ts'

const template = 'template'
const perBatch = 500_000
/** About what a record of this size takes in the table of the store. */
const valueBytes = 480

/** One real record, under many ids, in a server with the memory that a small one in production has. */
export async function filledPostgres(records: number): Promise<Filled> {
  const server = await startOwnPostgres({ settings: ['shared_buffers=1GB', 'max_wal_size=8GB'] })
  const pool = new Pool({ connectionString: server.url, max: 16 })
  const store = postgresStore(pool, { silence: ['postgres-forgets'] })
  await firstRequest(store, template)
  const columns = await columnsOf(pool)
  const values = columns.map((column) =>
    column === 'id' ? "md5(i::text) || left(md5('-' || i::text), 11)" : `"${column}"`,
  )
  const names = columns.map((column) => `"${column}"`)
  for (let from = 0; from < records; from += perBatch) {
    await pool.query(
      `INSERT INTO hapax.hapax_record (${names.join()})
       SELECT ${values.join()} FROM hapax.hapax_record, generate_series($1::bigint, $2::bigint) AS i WHERE id = $3`,
      [from, Math.min(from + perBatch, records) - 1, template],
    )
  }
  await pool.query('VACUUM ANALYZE hapax.hapax_record')
  const { rows } = await pool.query("SELECT pg_total_relation_size('hapax.hapax_record') AS bytes")
  return {
    name: 'Postgres',
    records,
    store,
    bytesPerRecord: Number(rows[0]?.bytes) / records,
    meter: { counts: 'write-ahead log', read: () => logBytes(pool) },
    bare: await bareTable(pool, records),
    deletionBytes: (count) => deletionBytes(pool, columns, count),
    close: async () => {
      await store.close()
      await pool.end()
      await server.stop()
    },
  }
}

/** A table of a key, a time and a value as long as a record, with an index on both, as the store's own. */
async function bareTable(pool: Pool, records: number): Promise<Bare> {
  await pool.query('CREATE TABLE bare (id text COLLATE "C" PRIMARY KEY, expires_at timestamptz, value bytea)')
  await pool.query('CREATE INDEX ON bare (expires_at)')
  await pool.query(
    `INSERT INTO bare SELECT md5(i::text) || left(md5('-' || i::text), 11), now() + interval '1 day', $2
     FROM generate_series(0, $1::bigint - 1) AS i`,
    [records, Buffer.alloc(valueBytes)],
  )
  await pool.query('VACUUM ANALYZE bare')
  const [claimed, completed] = [Buffer.alloc(valueBytes / 2), Buffer.alloc(valueBytes)]
  const insert = { name: 'bare-insert', text: 'INSERT INTO bare VALUES ($1, now(), $2)' }
  const update = { name: 'bare-update', text: 'UPDATE bare SET expires_at = now(), value = $2 WHERE id = $1' }
  const select = { name: 'bare-select', text: 'SELECT value FROM bare WHERE id = $1' }
  return {
    first: async (id) => {
      await pool.query({ ...insert, values: [id, claimed] })
      await pool.query({ ...update, values: [id, completed] })
    },
    read: async (id) => void (await pool.query({ ...select, values: [id] })),
  }
}

/** With what the vacuum after it writes, and without the whole pages after a checkpoint; of records that were added for that, since those that are there have a day left. */
async function deletionBytes(pool: Pool, columns: readonly string[], count: number): Promise<number> {
  const old = new Map([
    ['id', "'expired ' || md5(i::text)"],
    ['expires_at', "now() - interval '1 hour'"],
    ['token', '1'],
  ])
  await pool.query(
    `INSERT INTO hapax.hapax_record (${columns.map((column) => `"${column}"`).join()})
     SELECT ${columns.map((column) => old.get(column) ?? `"${column}"`).join()}
     FROM hapax.hapax_record, generate_series(1, $1::bigint) AS i WHERE id = $2`,
    [count, template],
  )
  const before = await logBytes(pool)
  const { reap } = statementsFor('hapax')
  for (let reaped = 0; reaped < count; reaped += 200) {
    await pool.query(reap.text, [JSON.stringify({ lock_timeout: '1500', channel: '', count: 200 })])
  }
  await pool.query('VACUUM hapax.hapax_record')
  return ((await logBytes(pool)) - before) / count
}

async function logBytes(pool: Pool): Promise<number> {
  const { rows } = await pool.query("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') AS bytes")
  return Number(rows[0]?.bytes)
}

async function columnsOf(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query(
    `SELECT column_name FROM information_schema.columns
     WHERE table_schema = 'hapax' AND table_name = 'hapax_record' AND is_generated = 'NEVER' AND is_identity = 'NO'`,
  )
  return rows.map(({ column_name: name }) => String(name))
}
