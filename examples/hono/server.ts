// hapax/hono. PORT and STORE: see ../settings.ts.
import { serve } from '@hono/node-server'
import { idempotency } from 'hapax/hono'
import { Hono } from 'hono'
import { Orders } from '../orders.ts'
import { closed, portOf, readSettings, serving } from '../settings.ts'

const { port, store, disconnect } = await readSettings()
const orders = new Orders()

const once = idempotency({ store, scope: false })
const app = new Hono()
app.use('/api/*', once)
app.post('/api/orders', (c) => c.json(orders.create(), 201))
app.get('/effects', (c) => c.json(orders.effects()))

const server = serve({ fetch: app.fetch, port, hostname: '127.0.0.1' }, () => {
  serving(portOf(server), async () => {
    await closed(server)
    await once.close()
    await disconnect()
  })
})
