import { invalidOption } from '../../core/errors.ts'
import type { Connection, Reply } from '../dialect.ts'
import type { MysqlConnection, MysqlPool } from './clients.ts'

export type Outcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'failed'; readonly error: unknown }

export async function outcomeOf<T>(work: () => Promise<T>): Promise<Outcome<T>> {
  try {
    return { kind: 'done', value: await work() }
  } catch (error) {
    return { kind: 'failed', error }
  }
}

/**
 * One connection of the user's pool, for as long as `work` runs. Where `work` rejects, nobody knows what state the
 * connection is in, and it is closed.
 */
export async function withConnection<T>(
  pool: MysqlPool,
  work: (connection: Connection, native: MysqlConnection) => Promise<Outcome<T>>,
): Promise<T> {
  const native = await pool.getConnection()
  let outcome: Outcome<T>
  try {
    outcome = await work(connectionTo(native), native)
  } catch (error) {
    native.destroy()
    throw error
  }
  native.release()
  if (outcome.kind === 'failed') throw outcome.error
  return outcome.value
}

export function requirePool(pool: MysqlPool): MysqlPool {
  // The pool of mysql2's callbacks has the same methods, and one that makes this pool of it.
  if (hasMethods(pool, ['query', 'getConnection']) && !hasMethods(pool, ['promise'])) return pool
  throw invalidOption('pool', 'what createPool() of "mysql2/promise" returns (not of "mysql2")', pool)
}

/** The transaction of any library, as long as it has `query(text, values)`. */
export function connectionOf(within: unknown): Connection | undefined {
  return hasMethods(within, ['query']) ? connectionTo(within as MysqlConnection) : undefined
}

export function connectionTo(client: {
  query(text: string, values?: unknown[]): Promise<unknown>
}): Connection {
  return {
    query: async (text, values) =>
      replyOf(await (values === undefined ? client.query(text) : client.query(text, [...values]))),
  }
}

/** mysql2 gives `[rows, fields]` or `[header, fields]`; whoever adapts another library gives rows or a header. */
function replyOf(result: unknown): Reply {
  const [first] = Array.isArray(result) ? (result as unknown[]) : [result]
  if (Array.isArray(first)) {
    return { rows: first.map((row: object) => (Array.isArray(row) ? row : Object.values(row))) }
  }
  if (typeof first !== 'object' || first === null || !('affectedRows' in first)) {
    throw invalidOption('within', 'something whose query(text, values) resolves to { affectedRows }', result)
  }
  const { affectedRows } = first
  const serverStatus = 'serverStatus' in first ? first.serverStatus : undefined
  return {
    rows: [],
    affectedRows: Number(affectedRows),
    ...(typeof serverStatus === 'number' && { serverStatus }),
  }
}

function hasMethods(value: unknown, names: readonly string[]): boolean {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false
  return names.every((name) => typeof Reflect.get(value, name) === 'function')
}
