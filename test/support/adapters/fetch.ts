import { serve, type ServerType } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import type { Server } from 'node:http'
import { idempotency } from '../../../src/adapters/hono.ts'
import type { AdapterServer, AdapterSubject } from '../../../src/testing/adapter.ts'
import { fetchLacks, fetchOn, responseOf } from './fetch-handler.ts'
import { readersOf } from './header-reader.ts'
import { running } from './serve.ts'

/** A plain fetch handler on Node's server as the adapter contract drives it. */
export const fetchSubject: AdapterSubject = fetchOn('fetch', servedBy(serve))

/** Hono on Node's server as the adapter contract drives it. */
export const honoSubject: AdapterSubject = honoOn('Hono 4', servedBy(serve))

export function honoOn(name: string, served: ReturnType<typeof servedBy>): AdapterSubject {
  return { name, lacks: fetchLacks, start: (...given) => startHono(served, ...given) }
}

function startHono(
  served: ReturnType<typeof servedBy>,
  ...[options, handler, mount]: Parameters<AdapterSubject['start']>
): Promise<AdapterServer> {
  const app = new Hono()
  app.onError((_error, c) => c.text('broken', 500))
  const readers = readersOf<Context>(options, (c) => c.req.raw.headers)
  if (mount?.twice) app.use(idempotency(readers))
  app.use(idempotency(readers))
  app.all('*', async (c) => {
    const answer = await handler({
      idempotency: c.get('idempotency'),
      header: (name) => c.req.header(name),
      body: async () => Buffer.from(await c.req.arrayBuffer()),
    })
    return responseOf(answer)
  })
  return served(app.fetch)
}

/** The server of @hono/node-server, whichever release of it this is. */
export function servedBy(start: typeof serve) {
  return (fetch: (request: Request) => Response | Promise<Response>): Promise<AdapterServer> =>
    new Promise((resolve) => {
      const server: ServerType = start({ fetch, port: 0, hostname: '127.0.0.1' }, () =>
        resolve(running(server as Server)),
      )
    })
}
