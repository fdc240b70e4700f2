import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'amqplib'
import {
  freePort,
  type Launcher,
  removeFolder,
  type ServerProcess,
  spawnServer,
  temporaryFolder,
  waitUntil,
} from './processes.ts'
import { install, locate, mayInstall, ServiceMissing } from './programs.ts'

const program = { file: 'rabbitmq-server', package: 'rabbitmq-server' }

export interface RabbitMqServer {
  readonly url: string
  stop(): Promise<void>
}

/**
 * A RabbitMQ: the one that `AMQP_URL` names, else one of our own.
 *
 * @throws {ServiceMissing}
 */
export async function startRabbitMq(): Promise<RabbitMqServer> {
  const given = process.env['AMQP_URL']
  if (given !== undefined) return { url: given, stop: async () => {} }
  const file = findServer()
  const folder = temporaryFolder('rabbitmq')
  const [port, distributionPort, epmdPort] = await threePorts()
  const environment = serverEnvironment(folder, { port, distributionPort, epmdPort })
  // Erlang would start it by itself, as a daemon that nobody stops.
  const epmd = spawnServer(
    launcherOf(locate({ file: 'epmd' }) ?? 'epmd', environment),
    ['-port', String(epmdPort), '-address', '127.0.0.1'],
    folder,
  )
  // In the place of a shell that reads, which is what makes the script give its own place to the server.
  const server = spawnServer(launcherOf(file, environment), ['-noinput'], folder)
  const stop = async (): Promise<void> => {
    await server.kill()
    await epmd.kill()
    removeFolder(folder)
  }
  const url = `amqp://127.0.0.1:${port}`
  try {
    await answers(url, server)
  } catch (error) {
    await stop()
    throw error
  }
  return { url, stop }
}

/** Not Debian's wrapper on the search path, which takes a user and folders of its own. */
function findServer(): string {
  const found = () => {
    const behindWrapper = '/usr/lib/rabbitmq/bin/rabbitmq-server'
    return existsSync(behindWrapper) ? behindWrapper : locate(program)
  }
  const local = found()
  if (local !== undefined) return local
  if (!mayInstall()) throw new ServiceMissing(program)
  install(program.package)
  const installed = found()
  if (installed === undefined) throw new ServiceMissing(program)
  return installed
}

async function threePorts(): Promise<readonly [number, number, number]> {
  const ports = new Set<number>()
  while (ports.size < 3) ports.add(await freePort())
  const [first = 0, second = 0, third = 0] = ports
  return [first, second, third]
}

function launcherOf(file: string, environment: Readonly<Record<string, string>>): Launcher {
  return {
    command: (args) => ({ file, args, environment }),
    signal: (child, signal) => void child.kill(signal),
  }
}

function serverEnvironment(
  folder: string,
  ports: { readonly port: number; readonly distributionPort: number; readonly epmdPort: number },
): Record<string, string> {
  const configuration = join(folder, 'rabbitmq.conf')
  writeFileSync(configuration, `listeners.tcp.1 = 127.0.0.1:${ports.port}\nloopback_users.guest = true\n`)
  return {
    HOME: folder,
    ERL_EPMD_PORT: String(ports.epmdPort),
    RABBITMQ_NODENAME: 'hapax@localhost',
    RABBITMQ_DIST_PORT: String(ports.distributionPort),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_CONFIG_FILE: configuration,
    // Neither the machine's settings nor its plugins: these files do not exist.
    RABBITMQ_CONF_ENV_FILE: join(folder, 'none.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'no-plugins'),
    RABBITMQ_MNESIA_BASE: join(folder, 'data'),
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    RABBITMQ_LOGS: '-',
    RABBITMQ_ALLOW_INPUT: '1',
  }
}

async function answers(url: string, server: ServerProcess): Promise<void> {
  await waitUntil(
    `rabbitmq-server answers at ${url}`,
    async () => {
      if (!server.running) throw new Error(`rabbitmq-server ended: ${server.output()}`)
      const connection = await connect(url, { timeout: 5_000 })
      await connection.close()
      return true
    },
    { timeoutMs: 60_000, output: server.output },
  )
}
