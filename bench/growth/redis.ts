import { Redis } from 'ioredis'
import { startOwnRedis } from '../../scripts/services/index.ts'
import { redisStore } from '../../src/stores/redis.ts'
import { type Filled, filledId, firstRequest } from './filled.ts'

const perBatch = 2_000
const prefix = 'hapax:'
const template = 'template'

/** One real record, under many keys. */
export async function filledRedis(records: number): Promise<Filled> {
  const server = await startOwnRedis()
  const client = new Redis(server.url)
  const store = redisStore(client, { prefix, silence: ['redis-evicts', 'redis-not-persistent'] })
  await firstRequest(store, template)
  const value = await client.getBuffer(prefix + template)
  if (value === null) throw new Error('The record is not where it was looked for.')
  // What a claim leaves is the record without its answer.
  const claimed = value.subarray(0, 260)
  const emptyBytes = await usedBytes(client)
  for (let index = 0; index < records; index += perBatch) {
    const batch = client.pipeline()
    for (let next = index; next < Math.min(index + perBatch, records); next += 1) {
      batch.set(prefix + filledId(next), value, 'PX', 86_400_000)
    }
    await batch.exec()
  }
  return {
    name: 'Redis',
    records,
    store,
    bytesPerRecord: ((await usedBytes(client)) - emptyBytes) / records,
    meter: { counts: 'network', read: () => networkBytes(client) },
    bare: {
      first: async (id) => {
        await client.set(prefix + id, claimed, 'PX', 86_400_000, 'NX')
        await client.set(prefix + id, value, 'PX', 86_400_000, 'XX')
      },
      read: async (id) => void (await client.getBuffer(prefix + id)),
    },
    close: async () => {
      await store.close()
      client.disconnect()
      await server.stop()
    },
  }
}

async function usedBytes(client: Redis): Promise<number> {
  return Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
}

/** Both ways, with the protocol. */
async function networkBytes(client: Redis): Promise<number> {
  const stats = await client.info('stats')
  const [received, sent] = ['input', 'output'].map((way) => {
    return Number(new RegExp(`total_net_${way}_bytes:(\\d+)`).exec(stats)?.[1])
  })
  return (received ?? 0) + (sent ?? 0)
}
