import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo } from 'node:net'

export interface RoundTrips {
  readonly port: number
  /** How often a client sent something and then waited for an answer, on all connections together. */
  count(): number
  close(): Promise<void>
}

/** Counts the round trips of whatever connects to a server. */
export async function countRoundTrips(targetPort: number): Promise<RoundTrips> {
  let trips = 0
  const listener = createServer((client) => {
    const server = connect(targetPort, '127.0.0.1')
    let isAsking = false
    client.on('data', () => {
      if (!isAsking) trips += 1
      isAsking = true
    })
    server.on('data', () => {
      isAsking = false
    })
    client.pipe(server).pipe(client)
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', () => {
        client.destroy()
        server.destroy()
      })
    }
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return {
    port: (listener.address() as AddressInfo).port,
    count: () => trips,
    close: () => new Promise((closed) => void listener.close(() => closed())),
  }
}
