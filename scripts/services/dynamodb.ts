import { once } from 'node:events'
import dynalite from 'dynalite'

export interface DynamodbServer {
  readonly endpoint: string
  stop(): Promise<void>
}

/** What speaks DynamoDB's protocol on this machine: dynalite, in memory and in this process. */
export async function startDynamodb(): Promise<DynamodbServer> {
  const server = dynalite({ createTableMs: 0 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('dynalite has no port.')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    async stop() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
