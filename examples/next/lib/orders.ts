import { DatabaseSync } from 'node:sqlite'
import { ordersFile } from './settings.ts'

const database = new DatabaseSync(ordersFile)
database.exec(
  'PRAGMA busy_timeout = 2000; CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, item TEXT)',
)

/** The effect that must not happen twice: each call is one more order. */
export function createOrder(item: string): { id: string; item: string } {
  const id = crypto.randomUUID()
  database.prepare('INSERT INTO orders (id, item) VALUES (?, ?)').run(id, item)
  return { id, item }
}

export function countOrders(): number {
  return Number(database.prepare('SELECT count(*) AS count FROM orders').get()?.['count'])
}
