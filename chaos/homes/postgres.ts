import { Client } from 'pg'
import { startOwnPostgres, startTcpProxy } from '../../scripts/services/index.ts'
import type { Home, HomeOptions } from './home.ts'
import { networkFaults, serverFaults } from './store-faults.ts'

export async function postgresHome({ smallDisk }: HomeOptions): Promise<Home> {
  const server = await startOwnPostgres(smallDisk === undefined ? {} : { parentFolder: smallDisk })
  const proxy = await startTcpProxy(server.port)
  return {
    name: 'postgres',
    address: `postgres://hapax@127.0.0.1:${proxy.port}/postgres`,
    version: await versionOf(server.url),
    processes: 3,
    faults: {
      ...networkFaults(proxy),
      ...serverFaults(server),
    },
    stop: async () => {
      await proxy.close()
      await server.stop()
    },
  }
}

async function versionOf(connectionString: string): Promise<string> {
  const client = new Client({ connectionString })
  await client.connect()
  const { rows } = await client.query('SHOW server_version')
  await client.end()
  return `Postgres ${String(rows[0]?.server_version).split(' ', 1)[0]}`
}
