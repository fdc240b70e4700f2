// One server in a process of its own, so that its CPU time is the server's alone.
import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { Pool } from 'pg'
import { memoryStore } from '../src/stores/memory.ts'
import { postgresStore } from '../src/stores/postgres.ts'
import { redisStore } from '../src/stores/redis.ts'
import { sqliteStore } from '../src/stores/sqlite.ts'
import { serveExpress, servers } from './servers.ts'
import type { Framework, Work } from './variants.ts'

// What `served.ts` gives.
const [framework, work, file, redisUrl, postgresUrl] = process.argv.slice(2) as [
  Framework,
  Work,
  string,
  string,
  string,
]

/** As large as the record of the benchmark's answer. */
const recordSized = 'r'.repeat(530)
const dayMs = 86_400_000

const port = await serveWork()
process.send?.(port)
process.on('disconnect', () => process.exit())

function serveWork(): Promise<number> {
  switch (work) {
    case 'bare':
      return servers[framework](undefined)
    case 'memory':
      return servers[framework](memoryStore({ maxRecords: 10_000_000, maxBytes: 8 * 1024 ** 3 }))
    case 'sqlite':
      return servers[framework](sqliteStore(file))
    case 'redis':
      return servers[framework](
        redisStore(new Redis(redisUrl), { silence: ['redis-evicts', 'redis-not-persistent'] }),
      )
    case 'postgres':
      return servers[framework](postgresStore(pool(), { silence: ['postgres-forgets'] }))
    case 'one Redis command':
    case 'two Redis commands':
      return afterRedis(work === 'two Redis commands')
    case 'one Postgres query':
    case 'two Postgres queries':
      return afterPostgres(work === 'two Postgres queries')
  }
}

async function afterRedis(writes: boolean): Promise<number> {
  const redis = new Redis(redisUrl)
  await redis.set('bare:read', recordSized)
  return serveExpress(undefined, async () => {
    await redis.getBuffer('bare:read')
    if (writes) await redis.set(`bare:${randomUUID()}`, recordSized, 'PX', dayMs)
  })
}

/** A read by key, and an insert of as much as a record holds: prepared, as the store's statements are. */
async function afterPostgres(writes: boolean): Promise<number> {
  const database = pool()
  await database.query('CREATE TABLE IF NOT EXISTS bare (id text PRIMARY KEY, value text)')
  await database.query('INSERT INTO bare VALUES ($1, $2) ON CONFLICT DO NOTHING', ['read', recordSized])
  const read = { name: 'read', text: 'SELECT value FROM bare WHERE id = $1', values: ['read'] }
  const insert = { name: 'insert', text: 'INSERT INTO bare VALUES ($1, $2)' }
  return serveExpress(undefined, async () => {
    await database.query(read)
    if (writes) await database.query({ ...insert, values: [randomUUID(), recordSized] })
  })
}

function pool(): Pool {
  return new Pool({ connectionString: postgresUrl, max: 10 })
}
