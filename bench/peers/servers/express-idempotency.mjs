// As its README and its Redis adapter's README show it: mounted after the body parser, the handler asks isHit.
import express from 'express'
import { getSharedIdempotencyService, idempotency } from 'express-idempotency'
import redisAdapter from 'express-idempotency-redis-adapter'
import { announce, countEffects, placeOrder, port, redisUrl } from './operation.mjs'

const RedisAdapter = redisAdapter.default
const dataAdapter = new RedisAdapter({ connectionConfig: { url: redisUrl } })
await dataAdapter.connect()

const app = express()
app.get('/effects', countEffects)
app.use(express.json())
app.use(idempotency({ dataAdapter }))
app.post('/orders', async (req, res) => {
  if (getSharedIdempotencyService().isHit(req)) return
  res.status(201).json(await placeOrder(req.body, req.query.delayMs))
})
const server = app.listen(port, '127.0.0.1', () => announce(server))
