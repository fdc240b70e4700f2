import type { PoolClient } from 'pg'
import type { Orders } from './app.ts'

export const createOrders = `
  CREATE TABLE IF NOT EXISTS orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL,
    item text NOT NULL,
    charge text NOT NULL
  )`

export const postgresOrders: Orders<PoolClient> = {
  async insert(client, { email, item }, charge) {
    const { rows } = await client.query<{ id: string }>(
      'INSERT INTO orders (email, item, charge) VALUES ($1, $2, $3) RETURNING id::text',
      [email, item, charge],
    )
    return { id: rows[0]?.id ?? '' }
  },
}
