import { randomUUID } from 'node:crypto'
import { DatabaseError, Pool } from 'pg'
import { startPostgres } from '../../scripts/services/index.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { changesIn, columnCorpus } from '../records/columns.ts'
import { openRecords, type Place } from '../records/damage.ts'
import type { FuzzTarget } from '../target.ts'

const types: Readonly<Record<string, string>> = {
  format: 'smallint',
  state: 'text',
  owner: 'text',
  token: 'bigint',
  attempt: 'integer',
  since: 'timestamptz',
  expires_at: 'timestamptz',
  lease_until: 'timestamptz',
  recovery: 'text',
  retain_ms: 'float8',
  retain_unknown_ms: 'float8',
  fingerprint: 'text[]',
  takeover: 'text',
  failed: 'boolean',
  watched: 'boolean',
  status: 'integer',
  headers: 'text[]',
  trailers: 'text[]',
  tombstone: 'text',
  location: 'text',
  label_key: 'text',
  label_scope: 'text',
  step_names: 'text[]',
  step_texts: 'text[]',
  body: 'bytea',
}
const columns = Object.keys(types)

const values = {
  format: ['0', '1', '2'],
  state: ['running', 'released', 'completed', 'unknown', 'paused'],
  owner: ['x', '"', '"x"'],
  token: ['0', '-1', '9007199254740993', '9223372036854775807'],
  attempt: ['0', '-1', '2147483647'],
  since: ['infinity', '-infinity', '2020-01-01'],
  expires_at: ['infinity', '-infinity', '2020-01-01'],
  lease_until: ['infinity', '-infinity', '2020-01-01'],
  recovery: ['rerun', 'reconcile'],
  retain_ms: ['NaN', 'Infinity', '-1'],
  retain_unknown_ms: ['NaN', 'Infinity', '1e300'],
  fingerprint: ['{"b1:bytes","v1:value"}', '{NULL}', '{}', '{"\\""}', '{{a},{b}}'],
  status: ['-1', '0', '99'],
  headers: ['{}', '{a,b}', '{NULL,NULL}', '{"\\"","b"}', '{{a,b},{c,d}}'],
  label_key: ['k', '"'],
  step_names: ['{charge,mail}', '{a}'],
  step_texts: [
    '{x,y}',
    '{NULL,NULL}',
    '{"[]","{"}',
    '{"[\\"a\\",\\"begun\\",true,null]","[\\"b\\",\\"begun\\",true,null]"}',
  ],
}

/** Which situation the record had before, and values for some of its columns. */
export const postgresRecordsTarget: FuzzTarget = {
  name: 'records-postgres',
  what: 'a damaged row in a real Postgres is never run as new, nor written over',
  isServed: true,
  tokens: ['\x1e', '{', '}', ',', ...Object.values(values).flat()],
  async open() {
    const server = await startPostgres()
    // Nothing here outlives the process, so nothing waits for the disk.
    const options = '-c synchronous_commit=off'
    const pool = new Pool({ connectionString: server.url, max: 2, options })
    pool.on('error', () => {})
    const schema = `fuzz ${randomUUID()}`
    const store = postgresStore(pool, { schema, silence: ['postgres-forgets'] })
    const table = `"${schema}".hapax_record`
    const isNew = '(fingerprint IS NULL OR expires_at <= clock_timestamp())'
    const place: Place = {
      store,
      damage: async (id, damage) => {
        const changes = changesIn(damage, columns)
        const assignments = changes.map(
          ({ column }, index) => `${column} = $${index + 2}::text::${types[column]}`,
        )
        const texts = changes.map(({ type, value }) =>
          type === 'null' ? null : value.toString().replaceAll('\0', ''),
        )
        try {
          await pool.query(`UPDATE ${table} SET ${assignments.join(', ')} WHERE id = $1`, [id, ...texts])
          return true
        } catch (error) {
          // Its types and the table's own rules refuse most of what is no record.
          if (error instanceof DatabaseError && /^(?:2[23]|54)/.test(error.code ?? '')) return false
          throw error
        }
      },
      raw: async (id) => (await pool.query(`SELECT r::text AS raw FROM ${table} r WHERE id = $1`, [id])).rows,
      saysNew: async (id) => {
        const { rows } = await pool.query(`SELECT FROM ${table} WHERE id = $1 AND ${isNew}`, [id])
        return rows.length === 1
      },
      readsLate: true,
      nowMs: async () => {
        const text = 'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now'
        const { rows } = await pool.query<{ now: number }>(text)
        return rows[0]?.now ?? Number.NaN
      },
      close: async () => {
        await store.close()
        await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
        await pool.end()
        await server.stop()
      },
    }
    return openRecords(place, columnCorpus(columns, values, [0, 1, 2, 9, 14, 15, 130, 136, 142]))
  },
}
