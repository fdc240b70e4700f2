import { setTimeout as sleep } from 'node:timers/promises'
import {
  freePort,
  removeFolder,
  type ServerProcess,
  spawnServer,
  temporaryFolder,
  waitUntil,
} from './processes.ts'
import { launcherFor } from './programs.ts'
import { redisProgram, serverArguments, withControl } from './redis.ts'

export interface ClusterNode {
  readonly port: number
  readonly id: string
  signal(signal: NodeJS.Signals): void
  kill(): Promise<void>
  /** Starts it again after {@link kill}: it finds the others, and follows whoever took its place. */
  restart(): Promise<void>
}

export interface RedisCluster {
  readonly nodes: ReadonlyArray<{ readonly host: string; readonly port: number }>
  /** The nodes that were started as masters, in the order of their slots; empty for a cluster we were given. */
  readonly masters: readonly ClusterNode[]
  /** Moves a slot, with its keys, from one master to another, as a resharding does. */
  migrateSlot(
    slot: number,
    from: ClusterNode,
    to: ClusterNode,
    whileMoving?: () => Promise<void>,
  ): Promise<void>
  stop(): Promise<void>
}

export interface ClusterOptions {
  readonly replicas?: boolean
  readonly settings?: readonly string[]
  readonly own?: boolean
}

const slotCount = 16_384
const masterCount = 3

/**
 * Three masters, with a replica each where asked for. `REDIS_CLUSTER_URL` (one node's URL) is used instead
 * where it is set, unless the caller wants its own.
 *
 * @throws {ServiceMissing}
 */
export async function startRedisCluster(options: ClusterOptions = {}): Promise<RedisCluster> {
  const given = process.env['REDIS_CLUSTER_URL']
  if (given !== undefined && options.own !== true) return givenCluster(given)

  const count = options.replicas === true ? masterCount * 2 : masterCount
  const started = await Promise.all(Array.from({ length: count }, () => startNode(options)))
  const masters = started.slice(0, masterCount)
  await assignSlots(masters)
  await introduce(started)
  await Promise.all(started.slice(masterCount).map((replica, index) => follow(replica, masters[index])))
  await Promise.all(started.map((node) => agrees(node, count)))
  return {
    nodes: started.map(({ port }) => ({ host: '127.0.0.1', port })),
    masters,
    migrateSlot: (slot, from, to, whileMoving) => migrateSlot(slot, from, to, masters, whileMoving),
    stop: async () => {
      await Promise.all(
        started.map(async (node) => {
          node.signal('SIGCONT')
          await node.kill()
          removeFolder(node.folder)
        }),
      )
    },
  }
}

interface StartedNode extends ClusterNode {
  readonly folder: string
  readonly busPort: number
}

async function startNode(options: ClusterOptions): Promise<StartedNode> {
  const launcher = launcherFor(redisProgram)
  const folder = temporaryFolder('redis-cluster')
  const [port, busPort] = [await freePort(), await freePort()]
  const settings = [
    '--cluster-enabled yes',
    '--cluster-config-file nodes.conf',
    `--cluster-port ${busPort}`,
    '--cluster-node-timeout 1000',
    '--cluster-require-full-coverage no',
    '--repl-diskless-sync-delay 0',
    ...(options.settings ?? []),
  ].flatMap((line) => line.split(' '))
  const args = serverArguments(port, folder, { settings })
  let server: ServerProcess = spawnServer(launcher, args, folder)
  return {
    port,
    busPort,
    id: await idOf(port, server),
    folder,
    signal: (signal) => server.signal(signal),
    kill: () => server.kill(),
    restart: async () => {
      await server.kill()
      server = spawnServer(launcher, args, folder)
      await idOf(port, server)
    },
  }
}

async function idOf(port: number, { output }: ServerProcess): Promise<string> {
  let id = ''
  await waitUntil(
    'a cluster node answers',
    async () => {
      id = await withControl(port, async (control) => control.cluster('MYID'))
      return true
    },
    { output },
  )
  return id
}

async function assignSlots(masters: readonly StartedNode[]): Promise<void> {
  const share = Math.ceil(slotCount / masters.length)
  await Promise.all(
    masters.map((master, index) =>
      withControl(master.port, async (control) => {
        const last = Math.min(slotCount, (index + 1) * share) - 1
        await control.cluster('ADDSLOTSRANGE', index * share, last)
        // Without epochs of their own, two masters that meet settle it by taking slots from one another.
        await control.call('CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1))
      }),
    ),
  )
}

async function introduce(nodes: readonly StartedNode[]): Promise<void> {
  const [first, ...others] = nodes
  if (first === undefined) return
  await withControl(first.port, async (control) => {
    for (const { port, busPort } of others) {
      await control.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(busPort))
    }
  })
}

async function follow(replica: StartedNode, master: StartedNode | undefined): Promise<void> {
  if (master === undefined) return
  await waitUntil('a replica knows its master', () =>
    withControl(replica.port, async (control) => {
      await control.cluster('REPLICATE', master.id)
      return true
    }),
  )
  await waitUntil('a replica is in step', () =>
    withControl(replica.port, async (control) =>
      (await control.info('replication')).includes('master_link_status:up'),
    ),
  )
}

async function agrees(node: StartedNode, count: number): Promise<void> {
  await waitUntil('the cluster agrees', () =>
    withControl(node.port, async (control) => {
      const info = await control.cluster('INFO')
      return (
        info.includes('cluster_state:ok') &&
        info.includes(`cluster_known_nodes:${count}`) &&
        info.includes(`cluster_slots_ok:${slotCount}`)
      )
    }),
  )
}

async function migrateSlot(
  slot: number,
  from: ClusterNode,
  to: ClusterNode,
  masters: readonly ClusterNode[],
  whileMoving: (() => Promise<void>) | undefined,
): Promise<void> {
  await withControl(to.port, (control) =>
    control.call('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', from.id),
  )
  await withControl(from.port, async (control) => {
    await control.call('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', to.id)
    await whileMoving?.()
    for (;;) {
      const keys = await control.cluster('GETKEYSINSLOT', slot, 100)
      if (!Array.isArray(keys) || keys.length === 0) break
      const names = keys.map(String)
      await control.call('MIGRATE', '127.0.0.1', String(to.port), '', '0', '5000', 'KEYS', ...names)
      await sleep(1)
    }
  })
  const owners = [to, from, ...masters.filter((node) => node !== to && node !== from)]
  for (const { port } of owners) {
    await withControl(port, (control) => control.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', to.id))
  }
}

function givenCluster(url: string): RedisCluster {
  const { hostname, port } = new URL(url)
  return {
    nodes: [{ host: hostname, port: Number(port) }],
    masters: [],
    migrateSlot: () =>
      Promise.reject(new Error('The slots of a cluster that was given are not ours to move.')),
    stop: async () => {},
  }
}
