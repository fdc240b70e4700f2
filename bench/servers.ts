import { createServer, type Server } from 'node:http'
import { json } from 'node:stream/consumers'
import { serve } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { idempotency as onExpress } from '../src/adapters/express.ts'
import { idempotency as onFastify } from '../src/adapters/fastify.ts'
import { withIdempotency } from '../src/adapters/fetch.ts'
import { idempotency as onHono } from '../src/adapters/hono.ts'
import { idempotency as onNode } from '../src/adapters/node.ts'
import type { Store } from '../src/core/store.ts'
import { undiciServer } from './undici.ts'
import type { Framework } from './variants.ts'

/** The same small API on each framework, with hapax in front where there is a store. Resolves to its port. */
export const servers: Readonly<Record<Framework, (store: Store | undefined) => Promise<number>>> = {
  express: (store) => serveExpress(store),
  fastify: async (store) => {
    const app = fastify()
    if (store !== undefined) await app.register(onFastify, optionsOf(store))
    app.post('/orders', async (request, reply) => {
      reply.code(201)
      return answerTo(request.body)
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return portOf(app.server)
  },
  hono: (store) => {
    const app = new Hono()
    if (store !== undefined) app.use(onHono(optionsOf(store)))
    app.post('/orders', async (c) => c.json(answerTo(await c.req.json()), 201))
    return servedFetch(app.fetch)
  },
  fetch: (store) => servedFetch(fetchHandler(store)),
  'fetch on undici': (store) => listening(undiciServer(fetchHandler(store))),
  node: (store) => {
    const handler: Parameters<ReturnType<typeof onNode>>[0] = async (request, response) => {
      const answer = JSON.stringify(answerTo(await json(request)))
      response.writeHead(201, { 'Content-Type': 'application/json', 'Content-Length': answer.length })
      response.end(answer)
    }
    const guarded = store === undefined ? handler : onNode(optionsOf(store))(handler)
    // Express's types make each request look guarded; a bare one is not, and the handler does not ask.
    const server = createServer((request, response) => void guarded(request as never, response))
    return listening(server)
  },
}

/** @param before Runs before the handler: bare work of a store's client. */
export function serveExpress(store: Store | undefined, before?: () => Promise<unknown>): Promise<number> {
  const app = express()
  if (store !== undefined) app.use(onExpress(optionsOf(store)))
  app.use(express.json())
  if (before !== undefined) {
    app.use((_request, _response, next) => {
      before().then(() => next(), next)
    })
  }
  app.post('/orders', (request, response) => {
    response.status(201).json(answerTo(request.body))
  })
  return listening(createServer(app))
}

function optionsOf(store: Store): { store: Store; scope: false; silence: ['memory-store-in-production'] } {
  return { store, scope: false, silence: ['memory-store-in-production'] }
}

function answerTo(order: unknown): object {
  return { id: 'ord_1', ...Object(order), status: 'paid' }
}

function fetchHandler(store: Store | undefined): (request: Request) => Promise<Response> {
  const handler = async (request: Request) => Response.json(answerTo(await request.json()), { status: 201 })
  return store === undefined ? handler : withIdempotency(handler, optionsOf(store))
}

function servedFetch(fetch: (request: Request) => Response | Promise<Response>): Promise<number> {
  return new Promise((resolve) => {
    serve({ fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => resolve(port))
  })
}

function listening(server: Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(portOf(server))))
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port.')
  return address.port
}
