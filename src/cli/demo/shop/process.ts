// The program of a shop process: started, watched and restarted by ../supervisor.ts.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createShop } from './shop.ts'
import type { ShopMessage, ShopSettings } from './settings.ts'

try {
  // Written by the supervisor, from the same type.
  await open(JSON.parse(process.argv[2] ?? '') as ShopSettings)
} catch (error) {
  tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) }, () =>
    process.exit(1),
  )
}

async function open(settings: ShopSettings): Promise<void> {
  const shop = await createShop(settings)
  const server = createServer((request, response) => shop.handle(request, response))
  // A connection that the server closes first would look like a crash to the request that is just using it.
  server.keepAliveTimeout = 600_000
  server.listen(0, '127.0.0.1', () => {
    // A server that listens on TCP has an address of this type.
    tell({ kind: 'up', port: (server.address() as AddressInfo).port })
  })
  // Ctrl-C reaches every process of the terminal; the supervisor decides when this one stops.
  process.on('SIGINT', () => {})
  process.once('SIGTERM', () => void shutDown())
  // The supervisor is gone, killed perhaps: nobody is left to serve.
  process.once('disconnect', () => process.exit())

  async function shutDown(): Promise<void> {
    const closed = new Promise<void>((resolve) => void server.close(() => resolve()))
    await shop.close()
    server.closeIdleConnections()
    // Answers on their way get a moment to leave.
    await Promise.race([closed, sleep(500)])
    process.exit()
  }
}

function tell(message: ShopMessage, sent: () => void = () => {}): void {
  process.send?.(message, sent)
}
