// What the store needs of mysql2, in its own words. No driver is imported: the user brings one.
import { invalidOption } from '../../core/errors.ts'

/** `createPool()` of `mysql2/promise`. */
export interface MysqlPool {
  query(options: MysqlQuery): Promise<unknown>
  getConnection(): Promise<MysqlConnection>
}

/** `PoolConnection` of `mysql2/promise`. */
export interface MysqlConnection {
  query(options: MysqlQuery): Promise<unknown>
  release(): void
  destroy(): void
}

export interface MysqlQuery {
  readonly sql: string
  readonly rowsAsArray?: boolean
  readonly typeCast?: boolean
  readonly nestTables?: boolean
}

/** The pool of mysql2's callbacks. */
export interface MysqlCallbackPool {
  promise(): MysqlPool
}

/** A single connection is refused: while a transaction of the user's is open on it, records would be a part of that. */
export function poolOf(pool: MysqlPool | MysqlCallbackPool): MysqlPool {
  if (isObject(pool) && 'promise' in pool && 'getConnection' in pool) return pool.promise()
  if (isObject(pool) && 'query' in pool && 'getConnection' in pool) return pool
  throw invalidOption('pool', 'what createPool() of "mysql2" or "mysql2/promise" returns', pool)
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}
