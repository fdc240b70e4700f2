// Masters die and slots move in the middle of requests. What may be lost is what docs/redis.md says: claims and
// outcomes that the master acknowledged and no replica had.
import { setTimeout as sleep } from 'node:timers/promises'
import { Cluster, Redis } from 'ioredis'
import { createCluster, createSentinel } from 'redis'
import { afterEach, describe, expect, test } from 'vitest'
import { startRedisCluster, startRedisSentinel } from '../../scripts/services/index.ts'
import { withControl } from '../../scripts/services/redis.ts'
import { waitUntil } from '../../scripts/services/processes.ts'
import { keySlot } from '../../src/stores/redis/key-slot.ts'
import { redisStore, type RedisClient, type RedisStoreOptions } from '../../src/stores/redis.ts'
import { ioredisClient, nodeRedisClient, type OpenClient } from '../support/redis-clients.ts'
import { type Account, startLoad } from '../support/redis-load.ts'
import { servers } from '../support/redis-servers.ts'

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
      toStop.push(() => sentinel.stop(), ...Object.values(clients).map(({ close }) => close))
      const oldMaster = await sentinel.masterPort()
      const waitReplicas = { count: 1, timeout: 300 }
      const loads = startLoads(clients, { ...storeOptions, waitReplicas }, 3)
      await sleep(300)
      await sentinel.master.kill()
      await waitUntil(
        'the sentinels promote the replica',
        async () => (await sentinel.masterPort()) !== oldMaster,
      )
      // The new master has no replica until the old one comes back as one.
      await sentinel.master.restart()
      await waitUntil('the old master follows', () =>
        withControl(sentinel.replica.port, async (control) =>
          (await control.info('replication')).includes('connected_slaves:1'),
        ),
      )
      await finish(loads)
    })
  })

  describe('Cluster', () => {
    const open = async (): Promise<Record<string, OpenClient>> => {
      const clients = {
        ioredis: ioredisClient(new Cluster([...cluster.nodes])),
        'node-redis': await nodeRedisClient(
          createCluster({
            rootNodes: cluster.nodes.map(({ host, port }) => ({ url: `redis://${host}:${port}` })),
          }),
        ),
      }
      toStop.push(...Object.values(clients).map(({ close }) => close))
      return clients
    }

    test('a slot that moves in the middle of requests: all are answered, and nothing happens twice', async () => {
      const clients = await open()
      const [from, to] = cluster.masters
      if (from === undefined || to === undefined) throw new Error('There are no masters.')
      const loads = startLoads(clients, { ...storeOptions, prefix: '{moving}:' }, 5)
      await sleep(200)
      const slot = keySlot('{moving}:')
      const owner = cluster.masters[Math.floor(slot / 5462)] ?? from
      await cluster.migrateSlot(slot, owner, owner === to ? from : to, () => sleep(300))
      const accounts = await finish(loads)
      for (const { answers } of accounts) expect([...answers.keys()]).toEqual(['success'])
    })

    test('a master that dies in the middle of requests: its replica takes over, and nothing happens twice', async () => {
      const clients = await open()
      const loads = startLoads(clients, { ...storeOptions, waitReplicas: { count: 1, timeout: 300 } }, 5)
      toStop.unshift(() => cluster.stop())
      await sleep(300)
      const [victim, survivor] = cluster.masters
      if (victim === undefined || survivor === undefined) throw new Error('There are no masters.')
      await victim.kill()
      await waitUntil('the replica takes over', () =>
        withControl(survivor.port, async (control) => {
          const nodes = String(await control.cluster('NODES'))
          return nodes.split('\n').filter((line) => /master/.test(line) && !/fail/.test(line)).length === 3
        }),
      )
      await finish(loads, { 'keys of the node without a replica': true })
    })
  })
}

type Loads = ReadonlyArray<readonly [name: string, load: ReturnType<typeof startLoad>]>

function startLoads(
  clients: Record<string, { readonly client: RedisClient }>,
  options: RedisStoreOptions,
  callers: number,
): Loads {
  return Object.entries(clients).map(([name, { client }]) => [
    name,
    startLoad(redisStore(client, options), callers),
  ])
}

async function finish(loads: Loads, _expected: object = {}): Promise<Account[]> {
  const backs = await Promise.all(
    loads.map(async ([name, load]) => [name, await load.untilServed()] as const),
  )
  await sleep(300)
  const accounts = await Promise.all(loads.map(async ([name, load]) => [name, await load.finish()] as const))
  for (const [name, { effects, told, answers, slowestMs }] of accounts) {
    if (process.env['HAPAX_SHOW'])
      console.log(name, backs, Math.round(slowestMs), Object.fromEntries(answers), effects.size)
    expect(
      [...effects].filter(([, count]) => count > 1),
      `${name}: effects that happened twice`,
    ).toEqual([])
    expect(answers.get('another answer than before')).toBeUndefined()
    expect([...told.keys()].filter((key) => !effects.has(key))).toEqual([])
    expect(told.size).toBeGreaterThan(10)
  }
  return accounts.map(([, account]) => account)
}
