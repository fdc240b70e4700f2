import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { startOwnRedis } from '../../scripts/services/index.ts'
import { median } from '../median.ts'
import { type RecordCost, withGuarded } from './cost.ts'

const traffics = ['first', 'replay'] as const
/** MONITOR slows a server down, which does not matter to a count. */
const monitored = 200

export async function redisCosts(requests: number): Promise<RecordCost[]> {
  const redis = await startOwnRedis()
  const client = new Redis(redis.url)
  try {
    return await withGuarded('redis', { redisUrl: redis.url }, async (send) => {
      const costs: RecordCost[] = []
      for (const traffic of traffics) {
        const commands = await sentBy(client, () => send(traffic, monitored))
        // A load of replays makes its record with one first request more.
        const before = await meters(client)
        await send(traffic, requests)
        const after = await meters(client)
        costs.push({
          store: 'Redis',
          traffic,
          commands: commands / monitored,
          counted: countsOf(before.calls, after.calls, requests),
          bytesToStore: (after.received - before.received) / requests,
          bytesFromStore: (after.sent - before.sent) / requests,
          bytesLogged: undefined,
          bytesKept: traffic === 'first' ? await recordBytes(client) : 0,
        })
      }
      return costs
    })
  } finally {
    client.disconnect()
    await redis.stop()
  }
}

/** Lines of MONITOR that are not marked as a script's: what clients sent. */
async function sentBy(client: Redis, work: () => Promise<void>): Promise<number> {
  const monitor = await client.monitor()
  let commands = 0
  monitor.on('monitor', (_time: string, _args: string[], source: string) => {
    if (source !== 'lua') commands += 1
  })
  try {
    await work()
    // What the server has yet to tell.
    await sleep(200)
    return commands
  } finally {
    monitor.disconnect()
  }
}

interface Meters {
  readonly calls: ReadonlyMap<string, number>
  readonly received: number
  readonly sent: number
}

async function meters(client: Redis): Promise<Meters> {
  const stats = await client.info('stats')
  const calls = new Map<string, number>()
  for (const [, name = '', count] of (await client.info('commandstats')).matchAll(
    /cmdstat_(\S+?):calls=(\d+)/g,
  )) {
    calls.set(name, Number(count))
  }
  const total = (way: string) => Number(new RegExp(`total_net_${way}_bytes:(\\d+)`).exec(stats)?.[1])
  return { calls, received: total('input'), sent: total('output') }
}

/** Calls of a request, those that scripts make with them; without what happens now and then. */
function countsOf(before: Meters['calls'], after: Meters['calls'], requests: number): string {
  return [...after]
    .map(([name, count]) => ({ name, each: (count - (before.get(name) ?? 0)) / requests }))
    .filter(({ each }) => each >= 0.1)
    .map(({ name, each }) => `${name} ${Number(each.toFixed(1))}`)
    .toSorted()
    .join(', ')
}

async function recordBytes(client: Redis): Promise<number> {
  const [, keys] = await client.scan('0', 'MATCH', 'hapax:*', 'COUNT', 1_000)
  const sizes = await Promise.all(keys.map((key) => client.memory('USAGE', key, 'SAMPLES', 0)))
  return median(sizes.map(Number))
}
