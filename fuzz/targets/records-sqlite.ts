import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { columns as recordColumns } from '../../src/stores/sqlite/rows.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import { changesIn, type ColumnChange, columnCorpus } from '../records/columns.ts'
import { openRecords, type Place } from '../records/damage.ts'
import type { FuzzTarget } from '../target.ts'

// Under another id it would be another record.
const columns = recordColumns.filter((name) => name !== 'id')

const values = {
  format: ['0', '1', '2'],
  state: ['running', 'released', 'completed', 'unknown', 'paused'],
  owner: ['x', '"', '"x"'],
  token: ['0', '-1', '9007199254740993', '9223372036854775807'],
  expires_at_ms: ['0', '99999999999999', '-1'],
  recovery: ['rerun', 'refuse', 'reconcile', 'never'],
  fingerprint: ['b1:bytes', '"', '"b1:\\ud800"'],
  steps: [
    '[]',
    '{',
    '[["charge","begun",false,null]]',
    '"[[\\"a\\",\\"begun\\",true,null]]"',
    '[["mail","finished",null,"json","1"]]',
  ],
  response: [
    '{',
    '{"kind":"kept","status":200,"headers":[],"bodyBytes":1}',
    '{"kind":"tombstone","status":500,"reason":"too-large"}',
  ],
  label: ['["k","s"]', '["k"]', '1'],
}

/** Which situation the record had before, and values for some of its columns. */
export const sqliteRecordsTarget: FuzzTarget = {
  name: 'records-sqlite',
  what: 'a damaged row in a SQLite file is never run as new, nor written over',
  isServed: true,
  tokens: ['\x1e', ...Object.values(values).flat()],
  async open() {
    const folder = mkdtempSync(join(tmpdir(), 'hapax-fuzz-'))
    // One connection for the store and for the damage: two would not be faster, and would lock each other out.
    const database = new DatabaseSync(join(folder, 'keys.db'))
    const store = sqliteStore(database)
    // Nothing here outlives the process.
    database.exec('PRAGMA synchronous = OFF')
    const select = columns.map((name) => `hex(${name}) AS ${name}_hex, typeof(${name}) AS ${name}`).join(', ')
    const raw = database.prepare(`SELECT ${select} FROM hapax_record WHERE id = ?`)
    const saysNew = database.prepare(`SELECT 1 FROM hapax_record
      WHERE id = ? AND (expires_at_ms <= ? OR state = 'released' AND fingerprint IS NULL)`)
    const place: Place = {
      store,
      damage: async (id, damage) => {
        const changes = changesIn(damage, columns)
        const assignments = changes.map(({ column }) => `${column} = ?`).join(', ')
        try {
          database
            .prepare(`UPDATE hapax_record SET ${assignments} WHERE id = ?`)
            .run(...changes.map(valueOf), id)
          return true
        } catch (error) {
          // STRICT tables take no value of another type, and NOT NULL no NULL.
          if (error instanceof Error && /constraint failed|cannot store/.test(error.message)) return false
          throw error
        }
      },
      raw: async (id) => ({ ...raw.get(id) }),
      saysNew: async (id) => saysNew.get(id, Date.now()) !== undefined,
      readsLate: false,
      nowMs: async () => Date.now(),
      close: async () => {
        await store.close()
        database.close()
        rmSync(folder, { recursive: true })
      },
    }
    return openRecords(place, columnCorpus(columns, values, [0, 1, 2, 9, 14, 15, 130]))
  },
}

function valueOf({ type, value }: ColumnChange): string | number | bigint | Buffer | null {
  switch (type) {
    case 'text':
      return value.toString()
    case 'number':
      return numberIn(value.toString())
    case 'bytes':
      return value
    case 'null':
      return null
  }
}

function numberIn(text: string): number | bigint {
  if (/^-?\d{1,18}$/.test(text)) return BigInt(text)
  const value = Number(text)
  return Number.isNaN(value) ? text.length : value
}
