import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, describe, test } from 'vitest'
import { startRedis } from '../../../scripts/services/index.ts'
import { redisStore } from '../../../src/stores/redis.ts'
import { testAdapter } from '../../../src/testing/adapter.ts'
import { servers } from '../servers.ts'
import { adapterSubjects } from './index.ts'

/** The adapter contract with the records in a real Redis: these groups of it, or all. */
export async function contractOnRedis(groups?: ReadonlySet<string>): Promise<void> {
  const server = await servers(() => startRedis())
  if (server === undefined) return
  const client = new Redis(server.url)
  afterAll(async () => {
    client.disconnect()
    await server.stop()
  })
  const chosen = (name: string): boolean =>
    groups === undefined || name.startsWith('adapter contract') || groups.has(name)
  for (const subject of adapterSubjects) {
    testAdapter(
      {
        test: test.concurrent,
        describe: (name, body) => void (chosen(name) && describe(name, body)),
      },
      {
        ...subject,
        name: `${subject.name} on Redis`,
        createStore: () =>
          redisStore(client, { prefix: `${randomUUID()}:`, silence: ['redis-not-persistent'] }),
      },
    )
  }
}
