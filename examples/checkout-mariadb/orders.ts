import type { PoolConnection, ResultSetHeader } from 'mysql2/promise'
import type { Orders } from '../checkout/app.ts'

export const createOrders = `
  CREATE TABLE IF NOT EXISTS orders (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    email VARCHAR(200) NOT NULL,
    item VARCHAR(200) NOT NULL,
    charge VARCHAR(200) NOT NULL
  ) ENGINE = InnoDB`

export const mariaDbOrders: Orders<PoolConnection> = {
  async insert(connection, { email, item }, charge) {
    const [{ insertId }] = await connection.query<ResultSetHeader>(
      'INSERT INTO orders (email, item, charge) VALUES (?, ?, ?)',
      [email, item, charge],
    )
    return { id: String(insertId) }
  },
}
