import { Readable } from 'node:stream'
import { fastify, type FastifyRequest } from 'fastify'
import { idempotency } from '../../../src/adapters/fastify.ts'
import type { AdapterSubject } from '../../../src/testing/adapter.ts'
import { headerReader } from './header-reader.ts'
import { running } from './serve.ts'

/** Fastify as the adapter contract drives it. */
export const fastifySubject: AdapterSubject = {
  name: 'Fastify 5',
  async start(options, handler, mount) {
    const app = fastify({ bodyLimit: 32 * 1024 * 1024 })
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
    if (mount?.begun) {
      app.addHook('onRequest', (_request, reply, next) => {
        reply.raw.write('begun ')
        next()
      })
    }
    if (mount?.twice) await app.register(idempotency, headerReader<FastifyRequest>(options))
    await app.register(idempotency, headerReader<FastifyRequest>(options))
    app.all('/*', async (request, reply) => {
      const answer = await handler({
        idempotency: request.idempotency,
        header: (name) => request.headers[name]?.toString(),
        body: async () => (Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)),
      })
      reply.code(answer.status)
      const lines = new Map<string, string[]>()
      for (const [name, value] of answer.headers ?? []) lines.set(name, [...(lines.get(name) ?? []), value])
      for (const [name, values] of lines) reply.header(name, values.length === 1 ? values[0] : values)
      switch (answer.kind) {
        case 'json':
          return reply.send(answer.value)
        case 'bytes':
          return reply.send(Buffer.from(answer.body))
        case 'stream':
          return reply.send(Readable.from(answer.chunks()))
        case 'empty':
          return reply.send()
      }
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return running(app.server)
  },
}
