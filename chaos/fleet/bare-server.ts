// The same API without any protection: what the harness must find fault with.
import { randomUUID } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import express from 'express'

const app = express()
app.use(express.json())
app.post('/orders', (req, res) => {
  appendFileSync(process.env['LEDGER'] ?? '', `${req.body.marker}\n`)
  res.status(201).json({ id: randomUUID() })
})
const server = app.listen(Number(process.env['PORT']), '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object') process.send?.(address?.port)
})
process.once('disconnect', () => process.exit())
process.once('SIGTERM', () => process.exit())
