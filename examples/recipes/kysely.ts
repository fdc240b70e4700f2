import { CompiledQuery, type QueryResult } from 'kysely'

interface Transaction {
  readonly isTransaction: boolean
  executeQuery<Row>(query: CompiledQuery<Row>): Promise<QueryResult<Row>>
}

/** A transaction of Kysely on Postgres, as `within` takes it. */
export function kyselyPostgres(trx: Transaction) {
  return {
    query: (text: string, values: unknown[] = []) => trx.executeQuery(CompiledQuery.raw(text, values)),
  }
}

/** The same on MySQL or MariaDB. */
export function kyselyMysql(trx: Transaction) {
  return {
    query: async (text: string, values: unknown[] = []) => {
      const { numAffectedRows } = await trx.executeQuery(CompiledQuery.raw(text, values))
      // MySQL's flags for "in a transaction" and "each statement by itself", which Kysely keeps to itself.
      return { affectedRows: Number(numAffectedRows ?? 0), serverStatus: trx.isTransaction ? 1 : 2 }
    },
  }
}
