import type { Database } from './database.ts'

/** What can make the database forget, or wait. Each is reported once; silence one by its code. */
export const postgresWarningTexts = {
  'postgres-forgets':
    'Postgres acknowledges before it has written (fsync or synchronous_commit is off): a crash forgets the last ' +
    'records, and their requests may run twice.',
  'postgres-unheard':
    'What Postgres notifies does not arrive: a pooler that gives each transaction another connection stands before ' +
    'it. Duplicates that wait are polled for. Set watch: "poll" where this is meant.',
} as const satisfies Record<string, string>

export type PostgresWarningCode = keyof typeof postgresWarningTexts

/** Asks the server for settings that can lose records. */
export async function forgets(database: Database): Promise<boolean> {
  const text = "SELECT current_setting('fsync'), current_setting('synchronous_commit')"
  const [row] = await database.query({ text }, [])
  return row?.[0] === 'off' || row?.[1] === 'off'
}
