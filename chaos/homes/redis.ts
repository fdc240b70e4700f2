import { setTimeout as sleep } from 'node:timers/promises'
import { startOwnRedis, startTcpProxy } from '../../scripts/services/index.ts'
import { withControl } from '../../scripts/services/redis.ts'
import type { Home, HomeOptions } from './home.ts'
import { networkFaults, serverFaults } from './store-faults.ts'

export async function redisHome({ smallDisk }: HomeOptions): Promise<Home> {
  const server = await startOwnRedis({
    appendOnly: true,
    ...(smallDisk !== undefined && { parentFolder: smallDisk }),
  })
  const proxy = await startTcpProxy(server.port)
  return {
    name: 'redis',
    address: `redis://127.0.0.1:${proxy.port}`,
    version: await redisVersion(server.port),
    processes: 3,
    faults: {
      ...networkFaults(proxy),
      ...serverFaults({ ...server, signalAll: (signal) => server.signal(signal) }),
      'store out of memory': () =>
        withControl(server.port, async (control) => {
          await control.config('SET', 'maxmemory-policy', 'noeviction')
          await control.config('SET', 'maxmemory', '1mb')
          await sleep(1_000)
          await control.config('SET', 'maxmemory', '0')
        }),
    },
    stop: async () => {
      await proxy.close()
      await server.stop()
    },
  }
}

export async function redisVersion(port: number): Promise<string> {
  const info = await withControl(port, (control) => control.info('server'))
  const version = /redis_version:(\S+)/.exec(info)?.[1]
  return `Redis ${version}`
}
