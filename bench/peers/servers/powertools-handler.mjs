// Powertools is for Lambda functions. Here its wrapper stands around an Express handler, with the options that its
// documentation gives for an API (key from a header, body validated), and a context that says how long the function
// may still run, as Lambda's does. Its errors become the statuses of the draft.
import {
  IdempotencyAlreadyInProgressError,
  IdempotencyConfig,
  IdempotencyValidationError,
  makeIdempotent,
} from '@aws-lambda-powertools/idempotency'
import express from 'express'
import { announce, countEffects, placeOrder, port } from './operation.mjs'

export function serve(persistenceStore) {
  const config = new IdempotencyConfig({
    eventKeyJmesPath: 'headers."idempotency-key"',
    payloadValidationJmesPath: 'body',
  })
  const handler = makeIdempotent((event) => placeOrder(event.body, event.query.delayMs), {
    persistenceStore,
    config,
  })
  const app = express()
  app.get('/effects', countEffects)
  app.use(express.json())
  app.post('/orders', async (req, res, next) => {
    config.registerLambdaContext({ getRemainingTimeInMillis: () => 30_000 })
    try {
      res.status(201).json(await handler({ headers: req.headers, body: req.body, query: req.query }))
    } catch (error) {
      if (error instanceof IdempotencyAlreadyInProgressError) res.status(409).json({ message: error.message })
      else if (error instanceof IdempotencyValidationError) res.status(422).json({ message: error.message })
      else next(error)
    }
  })
  const server = app.listen(port, '127.0.0.1', () => announce(server))
}
