// Variants side by side, each in a server of its own: stores, frameworks, peers, and SQLite beside Redis.
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { removeFolder, temporaryFolder } from '../../scripts/services/processes.ts'
import { startOwnPostgres, startRedis } from '../../scripts/services/index.ts'
import { load } from '../load.ts'
import type { Settings } from '../options.ts'
import { progress } from '../progress.ts'
import type { Sample, Samples } from '../report.ts'
import { roundsOf } from '../rounds.ts'
import { Served } from '../served.ts'
import { type Group, type Variant, variants as allVariants } from '../variants.ts'
import { warmUpRequests } from '../warm-up.ts'

export interface Beside {
  readonly rounds: number
  readonly levels: readonly Level[]
}

/** What was measured with one number of connections. */
export interface Level {
  readonly connections: number
  readonly requests: number
  readonly samples: Samples
}

/** So that a round is not mostly the making of connections. */
const requestsPerConnection = 4

/** Measures the variants of `group`, with each number of connections in every round. */
export async function measureBeside(
  group: Group,
  settings: Settings,
  usual: { rounds: number; requests: number },
): Promise<Beside> {
  const { rounds = usual.rounds, requests = usual.requests } = settings
  const requestsAt = (connections: number) =>
    settings.requests ?? Math.max(usual.requests, requestsPerConnection * connections)
  const variants = wanted(group, settings.only)
  const folder = temporaryFolder('bench')
  const servers = new Map<Variant, Served>()
  const redis = await startRedis()
  const postgres = variants.some(needsPostgres) ? await startOwnPostgres() : undefined
  const measure = async (variant: Variant, connections: number, count: number): Promise<Sample> => {
    const server = servers.get(variant)
    if (server === undefined) throw new Error(`No server for ${variant.name}`)
    const before = server.cpuMicros()
    const result = await load({
      url: server.url,
      traffic: variant.traffic,
      length: { requests: count },
      connections,
      awake: worksAlone(variant),
    })
    return { ...result, cpuMicros: (server.cpuMicros() - before) / count }
  }
  try {
    if (group === 'peers') installPeers()
    for (const variant of variants) {
      const file = join(folder, `${servers.size}.sqlite`)
      const places = { file, redisUrl: redis.url, postgresUrl: postgres?.url ?? '' }
      servers.set(variant, await Served.start(variant.server, places))
    }
    for (const variant of variants) {
      progress(`warm-up: ${variant.name}`)
      await measure(variant, 64, warmUpRequests({ ...settings, requests }))
    }
    const cells = settings.connections.flatMap((connections) =>
      variants.map((variant) => ({ name: `${variant.name} (${connections})`, variant, connections })),
    )
    const samples = await roundsOf(rounds, cells, ({ variant, connections }) =>
      measure(variant, connections, requestsAt(connections)),
    )
    const levels = settings.connections.map((connections) => ({
      connections,
      requests: requestsAt(connections),
      samples: new Map(
        [...samples].flatMap(([cell, own]) =>
          cell.connections === connections ? [[cell.variant, own]] : [],
        ),
      ),
    }))
    return { rounds, levels }
  } finally {
    await Promise.all([...servers.values()].map((server) => server.stop()))
    await postgres?.stop()
    await redis.stop()
    removeFolder(folder)
  }
}

function wanted(group: Group, only: string): Variant[] {
  const ofGroup = allVariants.filter((variant) => variant.group === group)
  const named = ofGroup.filter(({ name }) => name.includes(only))
  if (named.length === 0)
    throw new Error(`No variant of ${group} has "${only}" in its name: use another --only.`)
  return ofGroup.filter(
    (variant) => named.includes(variant) || named.some(({ floor }) => floor === variant.name),
  )
}

/** No other process has work while it answers. */
function worksAlone({ server }: Variant): boolean {
  return server.kind === 'ours' && (server.work === 'bare' || server.work === 'memory')
}

function needsPostgres({ server }: Variant): boolean {
  return server.kind === 'ours' && /postgres/i.test(server.work)
}

function installPeers(): void {
  const cwd = join(import.meta.dirname, '../peers')
  if (existsSync(join(cwd, 'node_modules'))) return
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd, stdio: 'inherit' })
}
