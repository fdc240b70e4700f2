// A TCP proxy that breaks connections as networks do: cut, reset, or silent while both ends think it lives.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface TcpProxy {
  readonly port: number
  /** Ends all connections; new ones are accepted. */
  cut(): void
  /** Ends all connections with RST. */
  reset(): void
  /** From now on nothing passes on the connections that exist, and nobody is told. New ones work. */
  goSilent(): void
  /** Passes requests on but holds their answers back, until {@link resume}. */
  holdAnswers(): void
  resume(): void
  /** Refuses new connections and ends those that exist, until {@link open}. */
  shut(): void
  open(): void
  close(): Promise<void>
}

interface Link {
  readonly client: Socket
  readonly server: Socket
}

export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const links = new Set<Link>()
  const silent = new Set<Link>()
  let isShut = false
  let isHolding = false
  const listener = createServer((client) => {
    if (isShut) {
      client.resetAndDestroy()
      return
    }
    const link: Link = { client, server: connect(targetPort, '127.0.0.1') }
    links.add(link)
    link.client.setNoDelay(true)
    link.server.setNoDelay(true)
    join(link, () => links.delete(link))
    // After it was joined: a pipe makes its source flow.
    if (isHolding) link.server.pause()
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('The proxy has no port.')

  const endAll = (end: (socket: Socket) => void) => {
    for (const { client, server } of links) {
      end(client)
      end(server)
    }
    for (const { client, server } of silent) {
      end(client)
      end(server)
    }
    links.clear()
    silent.clear()
  }
  return {
    port: address.port,
    cut: () => endAll((socket) => socket.destroy()),
    reset: () => endAll((socket) => socket.resetAndDestroy()),
    goSilent: () => {
      for (const link of links) {
        link.client.unpipe()
        link.server.unpipe()
        // Bytes are taken and lost, as by a router that forgot the connection.
        link.client.resume()
        link.server.resume()
        silent.add(link)
      }
      links.clear()
    },
    holdAnswers: () => {
      isHolding = true
      for (const { server } of links) server.pause()
    },
    resume: () => {
      isHolding = false
      for (const { server } of links) server.resume()
    },
    shut: () => {
      isShut = true
      endAll((socket) => socket.resetAndDestroy())
    },
    open: () => {
      isShut = false
    },
    close: async () => {
      endAll((socket) => socket.destroy())
      await new Promise((closed) => listener.close(closed))
    },
  }
}

function join({ client, server }: Link, ended: () => void): void {
  client.pipe(server)
  server.pipe(client)
  const end = () => {
    client.destroy()
    server.destroy()
    ended()
  }
  for (const socket of [client, server]) {
    socket.on('error', end)
    socket.on('close', end)
  }
}
