// One process of the shop: tells its parent the ports, and on SIGTERM lets what is running finish.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { storeOf } from '../../crash/store-of.ts'
import { createShop } from './shop.ts'

export interface ShopSetup {
  readonly store: string
  readonly ledger: string
  readonly required: boolean
  /** One listener for each, with an engine of its own; 0 for any port that is free. */
  readonly ports: readonly number[]
}

// Written by the site, from the same type.
const setup = JSON.parse(process.argv[2] ?? '{}') as ShopSetup
// Instances in one process share its memory, and nothing else.
const shared = setup.store === 'memory' ? storeOf(setup.store) : undefined
const instances = setup.ports.map((port) => {
  const records = shared ?? storeOf(setup.store)
  const { app, once } = createShop({ ...setup, store: records.store })
  return { port, records, once, server: createServer(app) }
})
await Promise.all(instances.map(({ server, port }) => listen(server, port)))
// Servers that listen on TCP have addresses of this type.
process.send?.(instances.map(({ server }) => (server.address() as AddressInfo).port))

process.once('SIGTERM', () => {
  process.disconnect?.()
  for (const { server, once, records } of instances) {
    server.close(() => void once.close().then(() => records.close()))
    server.closeIdleConnections()
  }
})

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve())
  })
}
