import { join } from 'node:path'
import type { Store } from 'hapax'
import { sqliteStore } from 'hapax/sqlite'

const { DATA = '.' } = process.env

/** Records; on several servers that is hapax/redis or hapax/postgres. */
export const store: Store = sqliteStore(join(DATA, 'keys.sqlite'))

export const ordersFile = join(DATA, 'orders.sqlite')
