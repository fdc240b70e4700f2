import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type Koa from 'koa'
import { idempotency } from '../../../src/adapters/koa.ts'
import type { AdapterSubject } from '../../../src/testing/adapter.ts'
import { headerReader } from './header-reader.ts'
import { listen } from './serve.ts'

/** Koa as the adapter contract drives it. */
export function koaSubject(name: string, Application: typeof Koa): AdapterSubject {
  return {
    name,
    lacks: { 'streams that outlive clients': 'Koa destroys the stream of a body when the connection closes' },
    async start(options, handler, mount) {
      const app = new Application()
      // Else it prints each error that a case throws.
      app.silent = true
      if (mount?.begun) {
        app.use((ctx, next) => {
          ctx.res.write('begun ')
          return next()
        })
      }
      if (mount?.twice) app.use(idempotency<Koa.Context>(headerReader(options)))
      app.use(idempotency<Koa.Context>(headerReader(options)))
      app.use(async (ctx) => {
        const answer = await handler({
          idempotency: ctx.idempotency,
          header: (line) => ctx.get(line) || undefined,
          body: () => buffer(ctx.req),
        })
        ctx.status = answer.status
        if (answer.kind === 'json') ctx.body = answer.value
        if (answer.kind === 'bytes') ctx.body = Buffer.from(answer.body)
        if (answer.kind === 'stream') ctx.body = Readable.from(answer.chunks())
        if (answer.kind === 'empty') ctx.body = null
        // A body chooses 200 or 204 where it is null.
        ctx.status = answer.status
        for (const [line, value] of answer.headers ?? []) {
          if (line.toLowerCase() === 'content-type') ctx.set(line, value)
          else ctx.append(line, value)
        }
      })
      const callback = app.callback()
      return listen((request, response) => void callback(request, response))
    },
  }
}
