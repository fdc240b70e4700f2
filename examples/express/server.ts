// hapax/express. PORT and STORE: see ../settings.ts.
import express from 'express'
import { idempotency } from 'hapax/express'
import { Orders } from '../orders.ts'
import { closed, portOf, readSettings, serving } from '../settings.ts'

const { port, store, disconnect } = await readSettings()
const orders = new Orders()

const once = idempotency({ store, scope: false })
const app = express()
app.use('/api', once, express.json())
app.post('/api/orders', (_req, res) => void res.status(201).json(orders.create()))
app.get('/effects', (_req, res) => void res.json(orders.effects()))

const server = app.listen(port, '127.0.0.1', (error) => {
  if (error) throw error
  serving(portOf(server), async () => {
    await closed(server)
    await once.close()
    await disconnect()
  })
})
