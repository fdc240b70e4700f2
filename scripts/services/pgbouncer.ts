import { chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Client } from 'pg'
import { freePort, removeFolder, spawnServer, temporaryFolder, unprivileged, waitUntil } from './processes.ts'
import { launcherFor, type Program } from './programs.ts'

const pgbouncerProgram: Program = {
  file: 'pgbouncer',
  package: 'pgbouncer',
  image: 'edoburu/pgbouncer',
  folders: ['/usr/sbin'],
}

export interface PgBouncer {
  readonly url: string
  stop(): Promise<void>
}

/**
 * A PgBouncer in transaction mode before the server at that URL.
 *
 * @throws {ServiceMissing}
 */
export async function startPgBouncer(serverUrl: string, poolSize = 5): Promise<PgBouncer> {
  const launcher = launcherFor(pgbouncerProgram)
  const folder = temporaryFolder('pgbouncer')
  const port = await freePort()
  const { hostname, port: serverPort, username, pathname } = new URL(serverUrl)
  const settings = [
    '[databases]',
    `* = host=${hostname} port=${serverPort} user=${username}`,
    '[pgbouncer]',
    `listen_addr = 127.0.0.1`,
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    'pool_mode = transaction',
    `default_pool_size = ${poolSize}`,
    'ignore_startup_parameters = extra_float_digits',
  ]
  const file = join(folder, 'pgbouncer.ini')
  writeFileSync(file, `${settings.join('\n')}\n`)
  const identity = unprivileged()
  if (identity !== undefined) for (const path of [folder, file]) chownSync(path, identity.uid, identity.gid)
  const command = (args: readonly string[], inFolder: string) => ({
    ...launcher.command(args, inFolder),
    ...(identity && { identity }),
  })
  const server = spawnServer({ ...launcher, command }, [file], folder)
  const url = `postgres://${username}@127.0.0.1:${port}${pathname}`
  await waitUntil('PgBouncer answers', async () => {
    if (!server.running) throw new Error(`PgBouncer ended: ${server.output()}`)
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query('SELECT 1')
      return true
    } finally {
      await client.end()
    }
  })
  return {
    url,
    stop: async () => {
      await server.kill()
      removeFolder(folder)
    },
  }
}
