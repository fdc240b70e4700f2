import { Pool } from 'pg'
import { startOwnPostgres } from '../../scripts/services/index.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { type Filled, firstRequest } from './filled.ts'

const template = 'template'
const perBatch = 500_000

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
    close: async () => {
      await store.close()
      await pool.end()
      await server.stop()
    },
  }
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
