import { createServer, type IncomingMessage, request as ask, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { soundGuard } from '../../src/checker/reference/layer.ts'
import {
  type HeaderLine,
  problem,
  type ReadRequest,
  type Reply,
} from '../../src/checker/reference/messages.ts'
import { startReference } from '../../src/checker/reference/server.ts'
import { RecordStore } from '../../src/checker/reference/store.ts'

export interface GatewayFaults {
  /** Sends a request again when the upstream breaks off. */
  readonly repeats?: boolean
  /** Passes on the fields of the upstream's connection. */
  readonly passesConnectionFields?: boolean
}

export interface Gateway {
  readonly url: string
  close(): Promise<void>
}

/** The reference layer as a reverse proxy, before a fixture that has no layer of its own. */
export async function startGateway(faults: GatewayFaults = {}): Promise<Gateway> {
  const upstream = await startReference({ guard: (call) => call.run() })
  const [port] = upstream.ports
  const guard = soundGuard()
  const store = new RecordStore(undefined)
  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const request = await read(incoming)
    const run = (): Promise<Reply> => passOn(port, request, faults)
    const guarded = request.method === 'POST' || request.method === 'PATCH'
    const retainMs = Number(request.query.get('retainMs') ?? 60_000)
    const reply = guarded
      ? await guard({ request, principal: 'everyone', store, retainMs, run })
      : await run()
    outgoing.writeHead(reply.status, reply.headers.flat()).end(reply.body)
  }
  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    // A TCP listener's address is always an AddressInfo.
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/op`,
    close: async () => {
      server.close()
      server.closeAllConnections()
      await upstream.close()
    },
  }
}

async function read(incoming: IncomingMessage): Promise<ReadRequest> {
  const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://gateway')
  return {
    method: incoming.method ?? 'GET',
    path: pathname,
    query: searchParams,
    target: incoming.url ?? '/',
    lines: pairs(incoming.rawHeaders).map(([name, value]): [string, string] => [name.toLowerCase(), value]),
    body: await buffer(incoming),
    gone: new AbortController().signal,
  }
}

async function passOn(port: number, request: ReadRequest, faults: GatewayFaults): Promise<Reply> {
  try {
    return await once(port, request, faults)
  } catch {
    if (faults.repeats === true) return once(port, request, faults).catch(brokenOff)
    return brokenOff()
  }
}

/** Whether it acted is not known: that is what is recorded, and told again. */
function brokenOff(): Reply {
  return problem(502, 'bad-gateway', 'The upstream broke off', 'It may have acted.')
}

function once(port: number, request: ReadRequest, faults: GatewayFaults): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const headers = request.lines.filter(([name]) => name !== 'connection' && name !== 'transfer-encoding')
    const length: HeaderLine[] =
      request.body.length > 0 ? [['content-length', String(request.body.length)]] : []
    const fields = [...headers.filter(([name]) => name !== 'content-length'), ...length].flat()
    const asked = ask({
      port,
      host: '127.0.0.1',
      method: request.method,
      path: request.target,
      headers: fields,
    })
    asked.once('error', reject)
    asked.once('response', (response) => {
      buffer(response).then((body) => {
        const lines = pairs(response.rawHeaders)
        const kept =
          faults.passesConnectionFields === true
            ? lines
            : lines.filter(([name]) => !isOfConnection(name, lines))
        const own = kept.filter(([name]) => !/^(?:transfer-encoding|content-length|date)$/i.test(name))
        resolve({ status: response.statusCode ?? 502, headers: own, body })
      }, reject)
    })
    asked.end(request.body)
  })
}

/** RFC 9110, section 7.6.1: these, and whatever Connection names. */
function isOfConnection(name: string, lines: readonly HeaderLine[]): boolean {
  const named = lines
    .filter(([other]) => other.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.toLowerCase().split(/\s*,\s*/))
  const own = [
    'connection',
    'keep-alive',
    'proxy-authenticate',
    'proxy-connection',
    'te',
    'trailer',
    'upgrade',
  ]
  return [...own, ...named].includes(name.toLowerCase())
}

function pairs(raw: readonly string[]): HeaderLine[] {
  return Array.from({ length: raw.length / 2 }, (_, index) => [
    raw[2 * index] ?? '',
    raw[2 * index + 1] ?? '',
  ])
}
