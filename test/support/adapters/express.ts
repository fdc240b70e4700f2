import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type express from 'express'
import type { Request, Response } from 'express'
import { idempotency } from '../../../src/adapters/express.ts'
import type { AdapterAnswer, AdapterSubject } from '../../../src/testing/adapter.ts'
import { listen } from './serve.ts'

/** Express as the adapter contract drives it. */
export function expressSubject({
  name,
  express: create,
}: {
  name: string
  express: typeof express
}): AdapterSubject {
  return {
    name,
    async start(options, handler, mount) {
      const app = create()
      // A stack trace would make error bodies differ from run to run, and the console noisy.
      app.set('env', 'test')
      if (mount?.begun) {
        app.use((_req, res, next) => {
          res.write('begun ')
          next()
        })
      }
      if (mount?.twice) app.use(idempotency<Request>(options))
      app.use(idempotency<Request>(options), create.raw({ type: () => true, limit: '32mb' }))
      app.use((req, res, next) => {
        const run = async (): Promise<void> =>
          answerWith(
            res,
            await handler({
              idempotency: req.idempotency,
              header: (line) => req.header(line),
              body: async () => (Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0)),
            }),
          )
        run().catch(next)
      })
      return listen(app)
    },
  }
}

/** Answers as an Express handler would. */
async function answerWith(res: Response, answer: AdapterAnswer): Promise<void> {
  res.status(answer.status)
  for (const [name, value] of answer.headers ?? []) res.append(name, value)
  switch (answer.kind) {
    case 'json':
      res.json(answer.value)
      return
    case 'bytes':
      res.send(Buffer.from(answer.body))
      return
    case 'stream':
      await pipeline(Readable.from(answer.chunks()), res)
      return
    case 'empty':
      res.end()
  }
}
