// What the journal needs of a client, in the clients' own words. No driver is imported: the user brings one.

/** `Pool` of pg 8. */
export interface NodePostgresPool {
  query(text: string, values?: unknown[]): Promise<unknown>
  connect(): Promise<NodePostgresClient>
  on(event: 'error', listener: (error: Error) => void): unknown
  listenerCount(event: 'error'): number
}

/** What its `connect()` resolves to: `PoolClient`. */
export interface NodePostgresClient {
  query(text: string, values?: unknown[]): Promise<unknown>
  release(error?: Error | boolean): void
  on(event: 'error', listener: (error: Error) => void): unknown
  off(event: 'error', listener: (error: Error) => void): unknown
}

/** What `postgres()` of postgres.js 3 returns. */
export interface PostgresJsSql extends PostgresJsExecutor {
  begin(options: string, work: (sql: PostgresJsExecutor) => Promise<void>): Promise<unknown>
}

/** That, or its `TransactionSql`. */
export interface PostgresJsExecutor {
  unsafe(text: string, values?: never[], options?: { prepare?: boolean }): PromiseLike<unknown>
}

/** Any client that `postgresJournal` takes. */
export type PostgresJournalClient = NodePostgresPool | PostgresJsSql
