// The whole store contract on a real server, for each client that the store takes.
import { randomUUID } from 'node:crypto'
import { Cluster, Redis } from 'ioredis'
import { afterAll, describe, test } from 'vitest'
import { startRedis, startRedisCluster } from '../../scripts/services/index.ts'
import { redisStore, type RedisClient } from '../../src/stores/redis.ts'
import { type TestApi, testStore } from '../../src/testing/store.ts'
import { clusterClients, type Opener, singleClients } from '../support/redis-clients.ts'
import { servers } from '../support/servers.ts'

const single = await servers(() => startRedis())
if (single !== undefined) {
  const control = new Redis(single.url)
  afterAll(async () => {
    control.disconnect()
    await single.stop()
  })
  for (const [name, open] of Object.entries(singleClients)) {
    await contract(`${name}, single`, open, [single], control)
  }
}

const cluster = await servers(() => startRedisCluster())
if (cluster !== undefined) {
  const control = new Cluster([...cluster.nodes])
  afterAll(async () => {
    control.disconnect()
    await cluster.stop()
  })
  for (const [name, open] of Object.entries(clusterClients)) {
    await contract(`${name}, cluster`, open, cluster.nodes, control)
  }
}

/**
 * The rules are carried out by the server, in the same scripts for all. With an older release of a client only
 * those groups are run again that depend on what it does to arguments, replies and subscriptions.
 */
const groupsForOlderClients = new Set(['responses', 'hostile text', 'unreadable records', 'watch', 'close'])

function api(isOlder: boolean): TestApi {
  return {
    // Each case has keys of its own, and most of its time is waiting for a lease to end.
    test: test.concurrent,
    describe: (name, body) => {
      if (!isOlder || name.startsWith('store contract') || groupsForOlderClients.has(name)) {
        describe(name, body)
      }
    },
  }
}

async function contract(
  name: string,
  open: Opener,
  nodes: ReadonlyArray<{ readonly host: string; readonly port: number }>,
  control: Redis | Cluster,
): Promise<void> {
  // Two clients stand for two processes; all stores of a contract share them, as routes of an app do.
  const clients = await Promise.all([open(nodes), open(nodes)])
  afterAll(() => {
    for (const { close } of clients) close()
  })
  const clientAt = (index: number): RedisClient => {
    const found = clients[index % 2]
    if (found === undefined) throw new Error('There is no client.')
    return found.client
  }
  let turn = 0
  testStore<string>(api(name.includes('redis 5')), {
    name,
    capabilities: { shared: true, watch: true, inspect: true },
    create: () => `test-${randomUUID()}:`,
    connect: (prefix) => {
      turn += 1
      return redisStore(clientAt(turn), { prefix, silence: ['redis-not-persistent'] })
    },
    corrupt: async (prefix, id) => {
      const stored = (await control.getBuffer(prefix + id)) ?? Buffer.alloc(0)
      await control.set(prefix + id, stored.subarray(0, -1), 'KEEPTTL')
    },
    makeNewer: async (prefix, id) => {
      await control.setrange(prefix + id, 0, String.fromCharCode(2))
    },
  })
}
