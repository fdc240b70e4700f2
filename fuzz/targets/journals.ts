import { randomUUID } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { DatabaseError, Pool } from 'pg'
import { startPostgres } from '../../scripts/services/index.ts'
import { postgresJournal, sqliteJournal } from '../../src/journal/index.ts'
import { changesIn, type ColumnChange, columnCorpus } from '../records/columns.ts'
import { openJournal } from '../records/journal.ts'
import type { FuzzTarget } from '../target.ts'

/** Of the head, and then of each step. */
const headColumns = ['token', 'fingerprint', 'keep_until']
const columns = [...headColumns, 'step token', 'step']

const values = {
  token: ['0', '-1', '3', '9007199254740993', '9223372036854775807'],
  fingerprint: ['b1:bytes v1:value', 'b1:other', 'c1:x', '', '"'],
  keep_until: ['0', '-1', '99999999999999', 'infinity', '-infinity', '2020-01-01'],
  'step token': ['0', '9', '9223372036854775807'],
  step: [
    '',
    '{',
    '[]',
    '"x"',
    '["charge","begun",false,null]',
    '["mail","finished",null,"json","1"]',
    '["a","done"]',
  ],
}
const tokens = ['\x1e', ...Object.values(values).flat()]
const corpus = columnCorpus(columns, values, [0]).map((input) => input.subarray(1))

/** The table, the column, and the value of a change. */
function placeOf({ column }: ColumnChange): { readonly table: string; readonly column: string } {
  return headColumns.includes(column)
    ? { table: 'hapax_journal', column }
    : { table: 'hapax_step', column: column.replace('step token', 'token') }
}

export const sqliteJournalTarget: FuzzTarget = {
  name: 'journal-sqlite',
  what: 'a damaged journal in SQLite forgets no step',
  isServed: true,
  tokens,
  open() {
    const database = new DatabaseSync(':memory:')
    const journal = sqliteJournal(database)
    return openJournal(
      {
        journal,
        damage: async (id, damage) => {
          try {
            for (const change of changesIn(damage, columns)) {
              const { table, column } = placeOf(change)
              const name = column === 'keep_until' ? 'keep_until_ms' : column
              const value =
                change.type === 'number' ? Number(change.value.toString()) : change.value.toString()
              database.prepare(`UPDATE ${table} SET ${name} = ? WHERE id = ?`).run(value, id)
            }
            return true
          } catch (error) {
            if (error instanceof Error && /constraint failed|cannot store/.test(error.message)) return false
            throw error
          }
        },
        stepsThere: async (id) =>
          Number(Object(database.prepare('SELECT count(*) AS n FROM hapax_step WHERE id = ?').get(id)).n),
        isOver: async (id) =>
          database
            .prepare('SELECT 1 FROM hapax_journal WHERE id = ? AND keep_until_ms < ?')
            .get(id, Date.now()) !== undefined,
        forget: async (id) => {
          for (const table of ['hapax_step', 'hapax_journal']) {
            database.prepare(`DELETE FROM ${table} WHERE id = ?`).run(id)
          }
        },
        close: async () => {
          await journal.close()
          database.close()
        },
      },
      corpus,
    )
  },
}

export const postgresJournalTarget: FuzzTarget = {
  name: 'journal-postgres',
  what: 'a damaged journal in a real Postgres forgets no step',
  isServed: true,
  tokens,
  async open() {
    const server = await startPostgres()
    // Nothing here outlives the process, so nothing waits for the disk.
    const options = '-c synchronous_commit=off'
    const pool = new Pool({ connectionString: server.url, max: 3, options })
    pool.on('error', () => {})
    const schema = `fuzz_${randomUUID()}`
    await pool.query(`CREATE SCHEMA "${schema}"`)
    const journal = postgresJournal(pool, { schema })
    const types: Readonly<Record<string, string>> = { token: 'bigint', keep_until: 'timestamptz' }
    return openJournal(
      {
        journal,
        damage: async (id, damage) => {
          try {
            for (const change of changesIn(damage, columns)) {
              const { table, column } = placeOf(change)
              const text = change.value.toString().replaceAll('\0', '')
              const assignment = `${column} = $2::text::${types[column] ?? 'text'}`
              await pool.query(`UPDATE "${schema}".${table} SET ${assignment} WHERE id = $1`, [id, text])
            }
            return true
          } catch (error) {
            if (error instanceof DatabaseError && /^2[23]/.test(error.code ?? '')) return false
            throw error
          }
        },
        stepsThere: async (id) =>
          (await pool.query(`SELECT FROM "${schema}".hapax_step WHERE id = $1`, [id])).rowCount ?? 0,
        isOver: async (id) => {
          const text = `SELECT FROM "${schema}".hapax_journal WHERE id = $1 AND keep_until < clock_timestamp()`
          return (await pool.query(text, [id])).rowCount === 1
        },
        forget: async (id) => {
          for (const table of ['hapax_step', 'hapax_journal']) {
            await pool.query(`DELETE FROM "${schema}".${table} WHERE id = $1`, [id])
          }
        },
        close: async () => {
          await journal.close()
          await pool.query(`DROP SCHEMA "${schema}" CASCADE`)
          await pool.end()
          await server.stop()
        },
      },
      corpus,
    )
  },
}
