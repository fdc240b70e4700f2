// hapax, for comparison, in the same place.
import express from 'express'
import { Redis } from 'ioredis'
import { idempotency } from '../../../src/adapters/express.ts'
import { redisStore } from '../../../src/stores/redis.ts'
import { announce, countEffects, placeOrder, port, redisUrl } from './operation.mjs'

const store = redisStore(new Redis(redisUrl), { silence: ['redis-not-persistent'] })

const app = express()
app.get('/effects', countEffects)
app.use(idempotency({ store, scope: false }), express.json())
app.post('/orders', async (req, res) => {
  res.status(201).json(await placeOrder(req.body, req.query.delayMs))
})
const server = app.listen(port, '127.0.0.1', () => announce(server))
