import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import knex from 'knex'
import { Kysely, PostgresDialect } from 'kysely'
import { Pool } from 'pg'
import { drizzlePostgres } from '../../examples/recipes/drizzle.ts'
import { knexPostgres } from '../../examples/recipes/knex.ts'
import { kyselyPostgres } from '../../examples/recipes/kysely.ts'
import type { Recipe } from './recipes.ts'

type Open = (url: string, schema: string) => Recipe

export const postgresRecipes: Readonly<Record<string, Open>> = {
  Drizzle: (url, schema) => {
    const pool = new Pool({ connectionString: url, max: 2 })
    const db = drizzle({ client: pool })
    const insert = sql`INSERT INTO ${sql.identifier(schema)}.effect VALUES ('order')`
    return {
      transaction: (work) => db.transaction((tx) => work(drizzlePostgres(tx), () => tx.execute(insert))),
      idle: drizzlePostgres(db),
      close: () => pool.end(),
    }
  },
  Kysely: (url, schema) => {
    const pool = new Pool({ connectionString: url, max: 2 })
    const db = new Kysely<{ effect: { name: string } }>({ dialect: new PostgresDialect({ pool }) })
    return {
      transaction: (work) =>
        db
          .transaction()
          .execute((trx) =>
            work(kyselyPostgres(trx), () =>
              trx.withSchema(schema).insertInto('effect').values({ name: 'order' }).execute(),
            ),
          ),
      idle: kyselyPostgres(db),
      close: () => db.destroy(),
    }
  },
  Knex: (url, schema) => {
    const db = knex({ client: 'pg', connection: url, pool: { min: 0, max: 2 } })
    return {
      transaction: (work) =>
        db.transaction((trx) =>
          work(knexPostgres(trx), async () =>
            trx.withSchema(schema).table('effect').insert({ name: 'order' }),
          ),
        ),
      idle: knexPostgres(db),
      close: () => db.destroy(),
    }
  },
}
