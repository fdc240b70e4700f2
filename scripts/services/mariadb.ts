import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import {
  freePort,
  removeFolder,
  type ServerProcess,
  spawnServer,
  temporaryFolder,
  waitUntil,
} from './processes.ts'
import { launcherFor, type Program } from './programs.ts'

const mariaDbProgram: Program = {
  file: 'mariadbd',
  package: 'mariadb-server',
  image: 'mariadb:10.11',
  folders: ['/usr/sbin', '/usr/local/sbin'],
}

export interface MariaDbServer {
  /** With a database that exists. */
  readonly url: string
  readonly port: number
  stop(): Promise<void>
}

export interface OwnMariaDbServer extends MariaDbServer {
  signal(signal: NodeJS.Signals): void
  /** Lets it write everything down and starts it again: one that was only just made does not survive a kill. */
  settle(): Promise<void>
  /** SIGKILL, and the port stays this server's to come back to. */
  kill(): Promise<void>
  /** Starts it again after {@link kill}, with the same files and on the same port. Resolves once it answers. */
  restart(): Promise<void>
}

/**
 * A MariaDB: the one that `HAPAX_MYSQL_URL` names, MySQL or MariaDB, else one of our own.
 *
 * @throws {ServiceMissing}
 */
export async function startMariaDb(): Promise<MariaDbServer> {
  const given = process.env['HAPAX_MYSQL_URL']
  if (given !== undefined) return { url: given, port: Number(new URL(given).port), stop: async () => {} }
  return startOwnMariaDb()
}

/** @throws {ServiceMissing} */
export async function startOwnMariaDb(): Promise<OwnMariaDbServer> {
  const launcher = launcherFor(mariaDbProgram)
  const folder = temporaryFolder('mariadb')
  const port = await freePort()
  // Without the server's own tables, which take longer to make than all else, nobody needs to log in.
  mkdirSync(join(folder, 'data', 'mysql'), { recursive: true })
  const args = serverArguments(port, folder)
  let server = spawnServer(launcher, args, folder)
  await answers(port, server)
  return {
    url: `mysql://root@127.0.0.1:${port}/hapax`,
    port,
    signal: (signal) => server.signal(signal),
    settle: async () => {
      server.signal('SIGTERM')
      await waitUntil('mariadbd ends', async () => !server.running, { output: server.output })
      server = spawnServer(launcher, args, folder)
      await answers(port, server)
    },
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

/** What was written survives a kill of the server, whose machine goes on: only a crash of that needs fsync. */
function serverArguments(port: number, folder: string): string[] {
  return [
    '--no-defaults',
    ...(process.getuid?.() === 0 ? ['--user=root'] : []),
    `--datadir=${join(folder, 'data')}`,
    `--socket=${join(folder, 'socket')}`,
    `--port=${port}`,
    '--bind-address=127.0.0.1',
    '--skip-grant-tables',
    '--skip-name-resolve',
    '--skip-log-bin',
    '--max-connections=200',
    '--innodb-flush-log-at-trx-commit=2',
    '--innodb-log-file-size=16M',
    '--innodb-buffer-pool-size=32M',
    '--aria-log-file-size=8M',
  ]
}

async function answers(port: number, server: ServerProcess): Promise<void> {
  await waitUntil(
    `mariadbd answers on port ${port}`,
    async () => {
      if (!server.running) throw new Error(`mariadbd ended: ${server.output()}`)
      const connection = await createConnection({
        host: '127.0.0.1',
        port,
        user: 'root',
        connectTimeout: 1_000,
      })
      try {
        await connection.query('CREATE DATABASE IF NOT EXISTS hapax')
        return true
      } finally {
        await connection.end()
      }
    },
    { output: server.output },
  )
}
