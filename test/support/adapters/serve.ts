import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AdapterServer } from '../../../src/testing/adapter/subject.ts'

/** Serves `listener` on a free loopback port. */
export function listen(listener: RequestListener): Promise<AdapterServer> {
  return listening(createServer(listener))
}

export async function listening(server: Server): Promise<AdapterServer> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return running(server)
}

export function running(server: Server): AdapterServer {
  return {
    // The server listens on TCP, so its address is an object.
    port: (server.address() as AddressInfo).port,
    drained: () => new Promise((resolve) => server.close(() => resolve())),
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
