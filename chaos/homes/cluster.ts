import { setTimeout as sleep } from 'node:timers/promises'
import { startRedisCluster } from '../../scripts/services/index.ts'
import { waitUntil } from '../../scripts/services/processes.ts'
import { withControl } from '../../scripts/services/redis.ts'
import type { Home } from './home.ts'
import { redisVersion } from './redis.ts'

/** Enough of the first master's slots that requests of every moment lie in one that moves. */
const movedSlots = 60

export async function clusterHome(): Promise<Home> {
  const cluster = await startRedisCluster({ replicas: true, own: true })
  const [first, second] = cluster.masters
  if (first === undefined || second === undefined) throw new Error('The cluster has no masters.')
  return {
    name: 'cluster',
    address: `cluster:${cluster.nodes.map(({ host, port }) => `${host}:${port}`).join(',')}`,
    version: `${await redisVersion(first.port)}, 3 masters, 3 replicas, waitReplicas 1`,
    processes: 3,
    faults: {
      failover: async () => {
        await first.kill()
        await waitUntil('the replica takes over', () => hasOtherMasters(second.port, cluster.masters))
        // As a supervisor does: without a replica, the new master's shard takes no claim under waitReplicas.
        await first.restart()
      },
      'slots moved': async () => {
        for (let slot = 0; slot < movedSlots; slot += 1) {
          await cluster.migrateSlot(slot, first, second, () => sleep(20))
        }
      },
    },
    stop: () => cluster.stop(),
  }
}

async function hasOtherMasters(
  port: number,
  before: ReadonlyArray<{ readonly id: string }>,
): Promise<boolean> {
  const nodes = await withControl(port, (control) => control.cluster('NODES'))
  const masters = String(nodes)
    .split('\n')
    .filter((line) => line.includes('master') && !line.includes('fail'))
  return masters.some((line) => !before.some(({ id }) => line.startsWith(id)))
}
