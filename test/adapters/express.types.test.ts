import express from 'express'
import type { NextFunction, Request, Response } from 'express'
import { expect, expectTypeOf, it } from 'vitest'
import { type ExpressIdempotency, idempotency } from '../../src/adapters/express.ts'
import type { RequestIdempotency } from '../../src/http/request-idempotency.ts'

// `tsc` reads this file as part of the project: what must not compile carries `@ts-expect-error`.

interface AuthedRequest extends Request {
  user: { id: number }
}

it('types the request of every option by an annotated scope', () => {
  const once = idempotency({
    scope: (req: AuthedRequest) => req.user.id,
    skip: (req) => req.user.id === 0,
    required: (req) => req.path === '/pay',
    key: (req) => req.get('x-event'),
    retain: (req) => (req.user.id === 1 ? '1h' : 5_000),
    fingerprint: (req, body) => [req.originalUrl, body?.byteLength ?? 0],
    recovery: ({ request, failure }) =>
      failure === undefined
        ? 'refuse'
        : { status: 200, headers: { 'X-A': 1 }, body: { user: request.user.id } },
  })
  expectTypeOf(once).toEqualTypeOf<ExpressIdempotency>()
  expect(once).toBeTypeOf('function')
})

it('fits wherever Express takes a middleware', () => {
  const once = idempotency({ scope: (req: AuthedRequest) => req.user.id })
  const app = express()
  app.use(once)
  app.use('/api', once, express.json())
  app.post('/pay/:id', once, (req, res) => {
    expectTypeOf(req.params.id).toEqualTypeOf<string>()
    expectTypeOf(req.idempotency).toEqualTypeOf<RequestIdempotency>()
    expectTypeOf(req.idempotency.key).toEqualTypeOf<string | undefined>()
    expectTypeOf(req.idempotency.token).toEqualTypeOf<number | undefined>()
    res.json(req.idempotency.derive('charge'))
  })
  express.Router().post('/x', once)
  expectTypeOf(once.close).returns.toEqualTypeOf<Promise<void>>()
  expect(once.run).toBeTypeOf('function')
})

it('types `respond` with Express’s own response', () => {
  idempotency({
    scope: false,
    respond: (problem, req: Request, res: Response, next: NextFunction) => {
      expectTypeOf(problem.status).toEqualTypeOf<number>()
      if (req.path === '/next') return next(problem)
      res.status(problem.status).json({ code: problem.code })
    },
  })
  // Without annotations they are Node's own.
  idempotency({ scope: false, respond: (_problem, req, res) => void res.end(req.url) })
})

it('refuses wrong options at compile time', () => {
  const make = (): void => {
    // @ts-expect-error scope is required
    idempotency({})
    // @ts-expect-error no scope of many callers
    idempotency({ scope: true })
    // @ts-expect-error a promise is no scope
    idempotency({ scope: async () => 'user' })
    // @ts-expect-error an unknown option
    idempotency({ scope: false, retainFor: '1h' })
    // @ts-expect-error a duration has a unit
    idempotency({ scope: false, retain: '10' })
    // @ts-expect-error a misspelled unit
    idempotency({ scope: false, lease: '10sec' })
    // @ts-expect-error an unknown word
    idempotency({ scope: false, recovery: 'retry' })
    // @ts-expect-error an unknown word
    idempotency({ scope: false, concurrent: 'wait' })
    // @ts-expect-error an unknown code
    idempotency({ scope: false, silence: ['everything'] })
    // @ts-expect-error a request without that property
    idempotency({ scope: (req: Request) => req.user.id })
  }
  expect(make).toThrow(expect.objectContaining({ code: 'invalid-option' }))
})
