import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, removeFolder, spawnServer, temporaryFolder, waitUntil } from './processes.ts'
import { launcherFor } from './programs.ts'
import { type OwnRedisServer, redisProgram, startOwnRedis, withControl } from './redis.ts'

export interface RedisSentinel {
  readonly masterName: string
  readonly sentinels: ReadonlyArray<{ readonly host: string; readonly port: number }>
  readonly master: OwnRedisServer
  readonly replicas: readonly OwnRedisServer[]
  /** The port of the server that the sentinels call the master now. */
  masterPort(): Promise<number>
  stop(): Promise<void>
}

const masterName = 'hapax'

/**
 * A master, two replicas and three sentinels that agree after half a second without an answer.
 *
 * @throws {ServiceMissing}
 */
export async function startRedisSentinel(
  options: { settings?: readonly string[] } = {},
): Promise<RedisSentinel> {
  const settings = ['--repl-diskless-sync-delay', '0', ...(options.settings ?? [])]
  const master = await startOwnRedis({ settings })
  const replicas = await Promise.all([1, 2].map(() => startReplica(master, settings)))
  const sentinels = await Promise.all([1, 2, 3].map(() => startOneSentinel(master.port)))
  const [first] = sentinels
  if (first === undefined) throw new Error('No sentinel was started.')
  await Promise.all(sentinels.map(({ port }) => knowsTheOthers(port)))
  return {
    masterName,
    sentinels: sentinels.map(({ port }) => ({ host: '127.0.0.1', port })),
    master,
    replicas,
    masterPort: () =>
      withControl(first.port, async (control) => {
        const address = await control.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', masterName)
        return Array.isArray(address) ? Number(address[1]) : 0
      }),
    stop: async () => {
      await Promise.all([...sentinels, master, ...replicas].map((server) => server.stop()))
    },
  }
}

async function startReplica(master: OwnRedisServer, settings: readonly string[]): Promise<OwnRedisServer> {
  const replica = await startOwnRedis({ settings: [...settings, '--replicaof', `127.0.0.1 ${master.port}`] })
  await waitUntil('the replica is in step', () =>
    withControl(replica.port, async (control) =>
      (await control.info('replication')).includes('master_link_status:up'),
    ),
  )
  return replica
}

interface Sentinel {
  readonly port: number
  stop(): Promise<void>
}

async function startOneSentinel(masterPort: number): Promise<Sentinel> {
  const folder = temporaryFolder('redis-sentinel')
  const port = await freePort()
  const config = join(folder, 'sentinel.conf')
  writeFileSync(config, sentinelConfig(port, masterPort, folder))
  const server = spawnServer(launcherFor(redisProgram), [config, '--sentinel'], folder)
  await waitUntil(
    'a sentinel answers',
    () => withControl(port, async (control) => (await control.ping()) === 'PONG'),
    { output: server.output },
  )
  return {
    port,
    stop: async () => {
      await server.kill()
      removeFolder(folder)
    },
  }
}

function sentinelConfig(port: number, masterPort: number, folder: string): string {
  return [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor ${masterName} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${masterName} 500`,
    `sentinel failover-timeout ${masterName} 3000`,
    '',
  ].join('\n')
}

async function knowsTheOthers(port: number): Promise<void> {
  await waitUntil('a sentinel knows the replicas and the other sentinels', () =>
    withControl(port, async (control) => {
      const fields = await control.call('SENTINEL', 'MASTER', masterName)
      const list = Array.isArray(fields) ? fields.map(String) : []
      const valueOf = (name: string) => list[list.indexOf(name) + 1]
      return valueOf('num-slaves') === '2' && valueOf('num-other-sentinels') === '2'
    }),
  )
}
