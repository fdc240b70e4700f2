import { type SQL, sql } from 'drizzle-orm'

/** A transaction of Drizzle on Postgres, as `within` takes it. */
export function drizzlePostgres(tx: { execute(query: SQL): PromiseLike<unknown> }) {
  return {
    query: async (text: string, values: unknown[] = []) => {
      const parts = text.split(/\$(\d+)/)
      const chunks = parts.map((part, i) => (i % 2 === 0 ? sql.raw(part) : sql`${values[Number(part) - 1]}`))
      return tx.execute(sql.join(chunks))
    },
  }
}

/** The same on MySQL or MariaDB. */
export function drizzleMysql(tx: { execute(query: SQL): PromiseLike<unknown> }) {
  return {
    query: async (text: string, values: unknown[] = []) => {
      const chunks = text.split('?').flatMap((part, i) => {
        return i === 0 ? [sql.raw(part)] : [sql`${values[i - 1]}`, sql.raw(part)]
      })
      return tx.execute(sql.join(chunks))
    },
  }
}
