// Masters die and slots move in the middle of requests. What may be lost is what docs/redis.md says: claims and
// outcomes that the master acknowledged and no replica had.
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import { createCluster, createSentinel } from 'redis'
import { createCluster as createCluster5 } from 'redis5'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { startRedisCluster, startRedisSentinel } from '../../scripts/services/index.ts'
import { withControl } from '../../scripts/services/redis.ts'
import { waitUntil } from '../../scripts/services/processes.ts'
import { keySlot } from '../../src/stores/redis/key-slot.ts'
import { redisStore, type RedisClient, type RedisStoreOptions } from '../../src/stores/redis.ts'
import { ioredisClient, nodeRedisClient, type OpenClient } from '../support/redis-clients.ts'
import { type Account, startLoad } from '../support/load.ts'
import { servers } from '../support/servers.ts'

const storeOptions: RedisStoreOptions = { silence: ['redis-not-persistent'] }
const toStop: Array<() => unknown> = []
afterEach(async () => {
  for (const stop of toStop.splice(0).toReversed()) await stop()
})

const groups = await servers(() =>
  Promise.all([startRedisSentinel(), startRedisCluster({ replicas: true, own: true })]),
)
if (groups !== undefined) {
  const [sentinel, cluster] = groups
  afterAll(() => Promise.all([sentinel.stop(), cluster.stop()]))

  describe('Sentinel', () => {
    test('a failover in the middle of requests: with waitReplicas nothing happens twice, and service comes back', async () => {
      const clients = {
        ioredis: ioredisClient(
          new Redis({
            sentinels: [...sentinel.sentinels],
            name: sentinel.masterName,
            sentinelRetryStrategy: () => 100,
            retryStrategy: () => 100,
          }),
        ),
        'node-redis': await nodeRedisClient(
          createSentinel({
            name: sentinel.masterName,
            sentinelRootNodes: [...sentinel.sentinels],
            scanInterval: 500,
          }),
        ),
      }
      toStop.push(...Object.values(clients).map(({ close }) => close))
      const oldMaster = await sentinel.masterPort()
      const loads = startLoads(clients, { ...storeOptions, waitReplicas: { count: 1, timeout: 300 } }, 3)
      await sleep(300)
      await sentinel.master.kill()
      await waitUntil(
        'the sentinels promote a replica',
        async () => (await sentinel.masterPort()) !== oldMaster,
      )
      for (const account of await finish(loads, 3_000)) expect(doubledIn(account)).toEqual([])
    })
  })

  describe('Cluster', () => {
    const open = async (): Promise<Record<string, OpenClient>> => {
      const rootNodes = cluster.nodes.map(({ host, port }) => ({ url: `redis://${host}:${port}` }))
      const clients = {
        ioredis: ioredisClient(new Cluster([...cluster.nodes])),
        'node-redis': await nodeRedisClient(createCluster({ rootNodes })),
        'node-redis 5': await nodeRedisClient(createCluster5({ rootNodes })),
      }
      toStop.push(...Object.values(clients).map(({ close }) => close))
      return clients
    }

    test('a slot that moves in the middle of requests: all are answered, and nothing happens twice', async () => {
      const clients = await open()
      const [from, to] = cluster.masters
      if (from === undefined || to === undefined) throw new Error('There are no masters.')
      const loads = startLoads(clients, { ...storeOptions, prefix: '{moving}:' }, 5, 5_000)
      await sleep(200)
      const slot = keySlot('{moving}:')
      const owner = cluster.masters[Math.floor(slot / 5462)] ?? from
      await cluster.migrateSlot(slot, owner, owner === to ? from : to, () => sleep(300))
      for (const account of await finish(loads)) {
        expect([...account.answers.keys()]).toEqual(['success'])
        expect(doubledIn(account)).toEqual([])
      }
    })

    test('a master that dies in the middle of requests: its replica takes over, and only the last moment is lost', async () => {
      const clients = await open()
      const [victim, survivor] = cluster.masters
      if (victim === undefined || survivor === undefined) throw new Error('There are no masters.')
      // The first master has the lowest slots, and all keys of this load are in one of them.
      const tag = Array.from({ length: 100 }, (_, index) => `{${index}}:`).find(
        (name) => keySlot(name) < 5_000,
      )
      const loads = startLoads(clients, { ...storeOptions, prefix: tag ?? '' }, 5)
      await sleep(300)
      const killedMs = performance.now()
      await victim.kill()
      await waitUntil('the replica takes over', () =>
        withControl(survivor.port, async (control) => {
          const lines = String(await control.cluster('NODES')).split('\n')
          const masters = lines.filter((line) => line.includes('master') && !line.includes('fail'))
          const before = new Set(cluster.masters.map(({ id }) => id))
          return masters.some((line) => !before.has(line.split(' ', 1)[0] ?? ''))
        }),
      )
      // node-redis 5 may leave what it sent to the lost node without an answer, which takes the store 4 s to notice.
      for (const account of await finish(loads, 4_000)) {
        const doubled = doubledIn(account)
        // Without waitReplicas a replica may lack what the master acknowledged just before it died.
        const early = doubled.filter((key) => (account.firstEffectMs.get(key) ?? 0) < killedMs - 100)
        expect(early).toEqual([])
      }
    })
  })
}

type Loads = ReadonlyArray<readonly [name: string, load: ReturnType<typeof startLoad>]>

function startLoads(
  clients: Record<string, { readonly client: RedisClient }>,
  options: RedisStoreOptions,
  callers: number,
  storeTimeoutMs?: number,
): Loads {
  return Object.entries(clients).map(([name, { client }]) => [
    name,
    startLoad(redisStore(client, options), callers, storeTimeoutMs),
  ])
}

async function finish(loads: Loads, backWithinMs = 1_000): Promise<Account[]> {
  const backs = await Promise.all(
    loads.map(async ([name, load]) => [name, await load.untilServed()] as const),
  )
  for (const [name, backMs] of backs)
    expect(backMs, `${name}: until service was back`).toBeLessThan(backWithinMs)
  await sleep(300)
  const accounts = await Promise.all(loads.map(async ([name, load]) => [name, await load.finish()] as const))
  for (const [, { effects, told, answers }] of accounts) {
    expect(answers.get('another answer than before')).toBeUndefined()
    expect([...told.keys()].filter((key) => !effects.has(key))).toEqual([])
    expect(told.size).toBeGreaterThan(10)
  }
  return accounts.map(([, account]) => account)
}

function doubledIn({ effects }: Account): string[] {
  return [...effects].filter(([, count]) => count > 1).map(([key]) => key)
}
