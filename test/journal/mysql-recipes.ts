import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/mysql2'
import knex from 'knex'
import { Kysely, MysqlDialect } from 'kysely'
import { createPool as createCallbackPool } from 'mysql2'
import { createPool } from 'mysql2/promise'
import { drizzleMysql } from '../../examples/recipes/drizzle.ts'
import { knexMysql } from '../../examples/recipes/knex.ts'
import { kyselyMysql } from '../../examples/recipes/kysely.ts'
import type { Recipe } from './recipes.ts'

type Open = (url: string) => Recipe

export const mysqlRecipes: Readonly<Record<string, Open>> = {
  Drizzle: (url) => {
    const pool = createPool({ uri: url, connectionLimit: 2 })
    const db = drizzle({ client: pool })
    const insert = sql`INSERT INTO effect VALUES ('order')`
    return {
      transaction: (work) => db.transaction((tx) => work(drizzleMysql(tx), () => tx.execute(insert))),
      idle: drizzleMysql(db),
      close: () => pool.end(),
    }
  },
  Kysely: (url) => {
    const pool = createCallbackPool({ uri: url, connectionLimit: 2 })
    const db = new Kysely<{ effect: { name: string } }>({ dialect: new MysqlDialect({ pool }) })
    return {
      transaction: (work) =>
        db
          .transaction()
          .execute((trx) =>
            work(kyselyMysql(trx), () => trx.insertInto('effect').values({ name: 'order' }).execute()),
          ),
      idle: kyselyMysql(db),
      close: () => db.destroy(),
    }
  },
  Knex: (url) => {
    const db = knex({ client: 'mysql2', connection: url, pool: { min: 0, max: 2 } })
    return {
      transaction: (work) =>
        db.transaction((trx) =>
          work(knexMysql(trx), async () => trx.table('effect').insert({ name: 'order' })),
        ),
      idle: knexMysql(db),
      close: () => db.destroy(),
    }
  },
}
