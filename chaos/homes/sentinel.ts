import { startRedisSentinel } from '../../scripts/services/index.ts'
import { waitUntil } from '../../scripts/services/processes.ts'
import type { Home } from './home.ts'
import { redisVersion } from './redis.ts'

export async function sentinelHome(): Promise<Home> {
  const group = await startRedisSentinel()
  return {
    name: 'sentinel',
    address: `sentinel:${group.sentinels.map(({ host, port }) => `${host}:${port}`).join(',')}`,
    version: `${await redisVersion(group.master.port)}, 2 replicas, 3 sentinels, waitReplicas 1`,
    processes: 3,
    faults: {
      failover: async () => {
        const before = await group.masterPort()
        await group.master.kill()
        await waitUntil('the sentinels promote a replica', async () => (await group.masterPort()) !== before)
      },
    },
    stop: () => group.stop(),
  }
}
