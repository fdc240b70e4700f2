// Preloaded into each snippet: servers listen on a free port of this machine, get the request that the snippet
// is marked with twice, and end. Redis is the test's own.
import { Server } from 'node:http'
import { Socket } from 'node:net'

const listen = Server.prototype.listen

Server.prototype.listen = function listenLocally(this: Server, ...args: unknown[]): Server {
  this.once('listening', () => {
    // A snippet without a request to try ends by itself, when it has nothing left to do.
    if (!process.env['SNIPPET_REQUEST']) {
      this.unref()
      return
    }
    void tryOut(this).then(
      () => process.exit(0),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  })
  const callbacks = args.filter((argument) => typeof argument === 'function')
  return Reflect.apply(listen, this, [0, '127.0.0.1', ...callbacks])
}

const { connect } = Socket.prototype
const usualRedisPort = 6379
/** Longer than any snippet works. Then its connection to Redis must not keep it alive. */
const connectedMs = 1_500

Socket.prototype.connect = function connectToOwnRedis(this: Socket, ...args: unknown[]): Socket {
  // Node's own callers give one list of all arguments.
  const [options] = args.flat()
  const isRedis = typeof options === 'object' && options !== null && portOf(options) === usualRedisPort
  if (isRedis) {
    Reflect.set(options, 'port', Number(process.env['SNIPPET_REDIS_PORT']))
    setTimeout(() => this.unref(), connectedMs)
  }
  return Reflect.apply(connect, this, args)
}

function portOf(options: object): number {
  return Number(Reflect.get(options, 'port'))
}

async function tryOut(server: Server): Promise<void> {
  const [method, path] = (process.env['SNIPPET_REQUEST'] ?? '').split(' ')
  const address = server.address()
  if (!method || typeof address !== 'object' || address === null) return
  const send = async () => {
    const response = await fetch(`http://127.0.0.1:${address.port}${path}`, {
      method,
      headers: { 'Idempotency-Key': '"snippet-1"', 'Content-Type': 'application/json' },
      body: JSON.stringify({ item: 'book' }),
    })
    return { response, body: await response.text() }
  }
  const first = await send()
  const second = await send()
  if (first.response.status >= 400) throw new Error(`${first.response.status} ${first.body}`)
  if (first.body !== second.body) throw new Error(`Two answers: ${first.body} and ${second.body}`)
  if (second.response.headers.get('idempotent-replayed') === 'true')
    console.log(`${method} ${path}: replayed`)
}
