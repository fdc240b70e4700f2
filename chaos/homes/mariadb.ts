import { createConnection } from 'mysql2/promise'
import { startOwnMariaDb, startTcpProxy } from '../../scripts/services/index.ts'
import type { Home } from './home.ts'
import { networkFaults, serverFaults } from './store-faults.ts'

export async function mariaDbHome(): Promise<Home> {
  const server = await startOwnMariaDb()
  await server.settle()
  const proxy = await startTcpProxy(server.port)
  return {
    name: 'mariadb',
    address: `mysql://root@127.0.0.1:${proxy.port}/hapax`,
    version: await versionOf(server.url),
    processes: 3,
    faults: {
      ...networkFaults(proxy),
      ...serverFaults({ ...server, signalAll: (signal) => server.signal(signal) }),
    },
    stop: async () => {
      await proxy.close()
      await server.stop()
    },
  }
}

async function versionOf(url: string): Promise<string> {
  const connection = await createConnection(url)
  const [rows] = await connection.query('SELECT VERSION() AS version')
  await connection.end()
  const version: unknown = Array.isArray(rows) ? Reflect.get(Object(rows[0]), 'version') : undefined
  return `MariaDB ${String(version).split('-', 1)[0]}`
}
