import { Redis } from 'ioredis'
import {
  freePort,
  removeFolder,
  type ServerProcess,
  spawnServer,
  temporaryFolder,
  waitUntil,
} from './processes.ts'
import { launcherFor, type Program } from './programs.ts'

/** `HAPAX_REDIS_PROGRAM=valkey-server` runs every Redis test on Valkey: single, Sentinel and Cluster. */
const file = process.env['HAPAX_REDIS_PROGRAM'] ?? 'redis-server'

export const redisProgram: Program = {
  file,
  package: file,
  image: file === 'redis-server' ? 'redis:7-alpine' : 'valkey/valkey:8-alpine',
}

export interface RedisOptions {
  /** `appendonly yes` with `appendfsync always`: what was acknowledged survives a kill. */
  readonly appendOnly?: boolean
  /** Where the server's own folder is made. Default: where this machine keeps temporary files. */
  readonly parentFolder?: string
  /** Further lines of configuration, such as `['--maxmemory', '10mb']`. */
  readonly settings?: readonly string[]
  /** Never take the server that `REDIS_URL` names: the caller wants to stop it or to change its settings. */
  readonly own?: boolean
}

export interface RedisServer {
  readonly url: string
  readonly host: string
  readonly port: number
  stop(): Promise<void>
}

export interface OwnRedisServer extends RedisServer {
  signal(signal: NodeJS.Signals): void
  /** SIGKILL, and the port stays this server's to come back to. */
  kill(): Promise<void>
  /** Starts it again after {@link kill}, in the same folder and on the same port. Resolves once it answers. */
  restart(): Promise<void>
}

/**
 * A single Redis: the one that `REDIS_URL` names, else one of our own.
 *
 * @throws {ServiceMissing}
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const given = process.env['REDIS_URL']
  const wantsOwn = options.own === true || options.appendOnly === true || options.settings !== undefined
  if (given !== undefined && !wantsOwn) return givenServer(given)
  return startOwnRedis(options)
}

/** @throws {ServiceMissing} */
export async function startOwnRedis(options: RedisOptions = {}): Promise<OwnRedisServer> {
  const launcher = launcherFor(redisProgram)
  const folder = temporaryFolder('redis', options.parentFolder)
  const port = await freePort()
  const args = serverArguments(port, folder, options)
  let server: ServerProcess = spawnServer(launcher, args, folder)
  await answers(port, server)
  return {
    url: `redis://127.0.0.1:${port}`,
    host: '127.0.0.1',
    port,
    signal: (signal) => server.signal(signal),
    kill: () => server.kill(),
    restart: async () => {
      await server.kill()
      server = spawnServer(launcher, args, folder)
      await answers(port, server)
    },
    stop: async () => {
      server.signal('SIGCONT')
      await server.kill()
      removeFolder(folder)
    },
  }
}

export function serverArguments(port: number, folder: string, options: RedisOptions): string[] {
  const common = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
  return [
    ...common,
    ...(options.appendOnly === true ? ['--appendonly', 'yes', '--appendfsync', 'always'] : []),
    ...(options.settings ?? []),
  ]
}

/** One short connection to ask or tell a server something, apart from the clients under test. */
export async function withControl<T>(port: number, work: (control: Redis) => Promise<T>): Promise<T> {
  const control = new Redis({
    port,
    host: '127.0.0.1',
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    lazyConnect: true,
  })
  control.on('error', () => {})
  try {
    await control.connect()
    return await work(control)
  } finally {
    control.disconnect()
  }
}

async function answers(port: number, server: ServerProcess): Promise<void> {
  await waitUntil(
    `${file} answers on port ${port}`,
    async () => {
      if (!server.running) throw new Error(`${file} ended: ${server.output()}`)
      return withControl(port, async (control) => (await control.ping()) === 'PONG')
    },
    { output: server.output },
  )
}

function givenServer(url: string): RedisServer {
  const { hostname, port } = new URL(url)
  return { url, host: hostname, port: Number(port === '' ? 6379 : port), stop: async () => {} }
}
