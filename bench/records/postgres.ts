import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'pg'
import { startOwnPostgres } from '../../scripts/services/index.ts'
import { type RecordCost, withGuarded } from './cost.ts'

const traffics = ['first', 'replay'] as const
/** A connection tells its transactions at most once a second, and then only when it is used or idle for a while. */
const statisticsDelayMs = 11_000

export async function postgresCosts(requests: number): Promise<RecordCost[]> {
  const { server, hasStatements } = await start()
  const pool = new Pool({ connectionString: server.url, max: 1 })
  try {
    if (hasStatements) await pool.query('CREATE EXTENSION pg_stat_statements')
    return await withGuarded('postgres', { postgresUrl: server.url }, async (send) => {
      const costs: RecordCost[] = []
      for (const traffic of traffics) {
        await compact(pool)
        const before = await meters(pool, hasStatements)
        await send(traffic, requests)
        const after = await meters(pool, hasStatements)
        await compact(pool)
        const { tableBytes } = await meters(pool, hasStatements)
        const grown = Math.round((after.tableBytes - before.tableBytes) / requests)
        const counted = hasStatements ? 'statements' : 'transactions'
        costs.push({
          store: 'Postgres',
          traffic,
          commands: (after.commands - before.commands) / requests,
          counted: traffic === 'first' ? `${counted}; ${grown} bytes kept until vacuumed` : counted,
          bytesToStore: undefined,
          bytesFromStore: undefined,
          bytesLogged: (after.logged - before.logged) / requests,
          bytesKept: (tableBytes - before.tableBytes) / requests,
        })
      }
      return costs
    })
  } finally {
    await pool.end()
    await server.stop()
  }
}

/** Not every Postgres has the extension; without it, the server does not start. */
async function start() {
  try {
    const server = await startOwnPostgres({ settings: ['shared_preload_libraries=pg_stat_statements'] })
    return { server, hasStatements: true }
  } catch {
    return { server: await startOwnPostgres(), hasStatements: false }
  }
}

/** A completion leaves the claim's row behind as a dead one, until autovacuum comes. */
async function compact(pool: Pool): Promise<void> {
  await pool.query('VACUUM FULL hapax.hapax_record')
}

interface Meters {
  readonly commands: number
  readonly logged: number
  readonly tableBytes: number
}

async function meters(pool: Pool, hasStatements: boolean): Promise<Meters> {
  if (!hasStatements) await sleep(statisticsDelayMs)
  const commands = hasStatements
    ? "(SELECT sum(calls) FROM pg_stat_statements WHERE query ILIKE '%hapax%')"
    : '(SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())'
  const { rows } = await pool.query(
    `SELECT ${commands} AS commands, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') AS logged,
            pg_total_relation_size('hapax.hapax_record') AS bytes`,
  )
  return {
    commands: Number(rows[0]?.commands),
    logged: Number(rows[0]?.logged),
    tableBytes: Number(rows[0]?.bytes),
  }
}
