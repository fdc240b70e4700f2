// What the store needs of a client, in the clients' own words. No driver is imported: the user brings one.

/** `Pool` of pg 8. */
export interface NodePostgresPool {
  readonly totalCount: number
  readonly options: object
  connect(): Promise<NodePostgresConnection>
  on(event: 'error', listener: (error: Error) => void): unknown
  listenerCount(event: 'error'): number
}

/** A client of pg while the pool lends it. */
export interface NodePostgresConnection {
  query(config: NodePostgresQuery): Promise<{ readonly rows: unknown[] }>
  /** With an error the pool closes it. */
  release(error?: Error): void
  on(event: 'error', listener: (error: Error) => void): unknown
}

export interface NodePostgresQuery {
  name?: string
  text: string
  values?: unknown[]
  rowMode: 'array'
}

/** A client of pg, made as its pool makes them. */
export interface NodePostgresClient {
  connect(): Promise<unknown>
  query(text: string): Promise<unknown>
  end(): Promise<unknown>
  on(event: 'notification', listener: (message: { readonly payload?: string }) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'end', listener: () => void): unknown
  unref?(): void
}

/** What `postgres()` of postgres.js 3 returns. */
export interface PostgresJsSql {
  unsafe(text: string, values: never[], options: PostgresJsOptions): PostgresJsQuery
  listen(
    channel: string,
    onNotify: (payload: string) => void,
    onListen?: () => void,
  ): PromiseLike<{ unlisten(): PromiseLike<unknown> }>
}

export interface PostgresJsOptions {
  prepare?: boolean
}

export interface PostgresJsQuery {
  values(): PromiseLike<unknown>
}

/** Any client that `postgresStore` takes. */
export type PostgresClient = NodePostgresPool | PostgresJsSql
