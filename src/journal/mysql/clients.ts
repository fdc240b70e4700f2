// What the journal needs of mysql2, in its own words. No driver is imported: the user brings one.

/** `createPool()` of `mysql2/promise`. */
export interface MysqlPool {
  query(text: string, values?: unknown[]): Promise<unknown>
  getConnection(): Promise<MysqlConnection>
}

/** `PoolConnection` of `mysql2/promise`. */
export interface MysqlConnection {
  query(text: string, values?: unknown[]): Promise<unknown>
  release(): void
  destroy(): void
}
