import type { PostgresJsSql } from './clients.ts'
import type { Database, DatabaseSettings, Listener, Listening, Row } from './database.ts'
import { anything } from './payload.ts'

export function postgresJsDatabase(sql: PostgresJsSql, { prepare }: DatabaseSettings): Database {
  return {
    query: async (statement, values) => {
      // Unprepared, postgres.js asks the server for the types of the parameters first: a round trip more. Where its
      // own `prepare` is off, as behind a pooler, this does not turn it on.
      const options = { prepare: prepare && statement.name !== undefined }
      // The driver's type for parameters can't be named without importing it; it takes text and bytes.
      return rowsIn(await sql.unsafe(statement.text, [...values] as never[], options).values())
    },
    listen: (channel, listener) => listen(sql, channel, listener),
  }
}

function rowsIn(result: unknown): readonly Row[] {
  if (Array.isArray(result) && result.every((row) => Array.isArray(row))) return result
  throw new Error('postgres.js returned something else than rows.')
}

/**
 * postgres.js listens on a connection of its own. It subscribes again by itself when that is lost, but only once: a
 * server that is down for longer is never asked again, and nobody is told. So a ping that stays out ends it.
 */
async function listen(sql: PostgresJsSql, channel: string, listener: Listener): Promise<Listening> {
  let isOpen = true
  let times = 0
  const { unlisten } = await sql.listen(
    channel,
    (payload) => {
      if (isOpen) listener.onNotify(payload)
    },
    () => {
      times += 1
      // What was notified meanwhile is lost.
      if (isOpen && times > 1) listener.onNotify(anything)
    },
  )
  return {
    close: async () => {
      isOpen = false
      await unlisten()
    },
  }
}
