import type { Knex } from 'knex'

/** A transaction of Knex on Postgres, as `within` takes it. */
export function knexPostgres(trx: Knex) {
  return {
    query: async (text: string, values: string[] = []) => {
      const named = values.map((value, i) => [`p${i + 1}`, value])
      return trx.raw(text.replaceAll(/\$(\d+)/g, ':p$1'), Object.fromEntries(named))
    },
  }
}

/** The same on MySQL or MariaDB. */
export function knexMysql(trx: Knex) {
  return { query: async (text: string, values: string[] = []) => trx.raw(text, values) }
}
