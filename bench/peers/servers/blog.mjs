// The middleware of many blog posts: look the key up, run, remember the answer for a day.
import express from 'express'
import { Redis } from 'ioredis'
import { announce, countEffects, placeOrder, port, redisUrl } from './operation.mjs'

const redis = new Redis(redisUrl)

async function idempotency(req, res, next) {
  const key = req.get('Idempotency-Key')
  if (!key) return next()
  const known = await redis.get(`idempotency:${key}`)
  if (known) {
    const { status, body } = JSON.parse(known)
    return res.status(status).json(body)
  }
  const json = res.json.bind(res)
  res.json = (body) => {
    redis.set(`idempotency:${key}`, JSON.stringify({ status: res.statusCode, body }), 'EX', 86_400)
    return json(body)
  }
  next()
}

const app = express()
app.get('/effects', countEffects)
app.use(express.json())
app.post('/orders', idempotency, async (req, res) => {
  res.status(201).json(await placeOrder(req.body, req.query.delayMs))
})
const server = app.listen(port, '127.0.0.1', () => announce(server))
