import { ReadableStream } from 'node:stream/web'
import { serve, type ServerType } from '@hono/node-server'
import { Hono, type Context } from 'hono'
import type { Server } from 'node:http'
import { withIdempotency } from '../../../src/adapters/fetch.ts'
import { idempotency } from '../../../src/adapters/hono.ts'
import type {
  AdapterAnswer,
  AdapterNeed,
  AdapterServer,
  AdapterSubject,
} from '../../../src/testing/adapter.ts'
import { readersOf } from './header-reader.ts'
import { running } from './serve.ts'

const lacks: Partial<Record<AdapterNeed, string>> = {
  'repeated lines': 'the Headers of fetch join repeated lines of one name',
}

/** A plain fetch handler on Node's server as the adapter contract drives it. */
export const fetchSubject: AdapterSubject = {
  name: 'fetch',
  lacks: { ...lacks, 'answers to errors': 'the runtime answers for a handler that throws' },
  start(options, handler) {
    const guarded = withIdempotency(
      async (request) => {
        const answer = await handler({
          idempotency: request.idempotency,
          header: (name) => request.headers.get(name) ?? undefined,
          body: async () => Buffer.from(await request.arrayBuffer()),
        })
        return responseOf(answer)
      },
      readersOf<Request>(options, ({ headers }) => headers),
    )
    return served(async (request) => {
      try {
        return await guarded(request)
      } catch {
        return new Response('broken', { status: 500 })
      }
    })
  },
}

/** Hono on Node's server as the adapter contract drives it. */
export const honoSubject: AdapterSubject = {
  name: 'Hono 4',
  lacks,
  start(options, handler) {
    const app = new Hono()
    app.onError((_error, c) => c.text('broken', 500))
    app.use(idempotency(readersOf<Context>(options, (c) => c.req.raw.headers)))
    app.all('*', async (c) => {
      const answer = await handler({
        idempotency: c.get('idempotency'),
        header: (name) => c.req.header(name),
        body: async () => Buffer.from(await c.req.arrayBuffer()),
      })
      return responseOf(answer)
    })
    return served(app.fetch)
  },
}

function served(fetch: (request: Request) => Response | Promise<Response>): Promise<AdapterServer> {
  return new Promise((resolve) => {
    const server: ServerType = serve({ fetch, port: 0, hostname: '127.0.0.1' }, () =>
      resolve(running(server as Server)),
    )
  })
}

function responseOf(answer: AdapterAnswer): Response {
  const { status } = answer
  const headers = new Headers()
  for (const [name, value] of answer.headers ?? []) headers.append(name, value)
  switch (answer.kind) {
    case 'json':
      return Response.json(answer.value, { status, headers })
    case 'bytes':
      return new Response(Buffer.from(answer.body), { status, headers })
    case 'stream':
      return new Response(ReadableStream.from(answer.chunks()), { status, headers })
    case 'empty':
      return new Response(null, { status, headers })
  }
}
