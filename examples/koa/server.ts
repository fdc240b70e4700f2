// hapax/koa. PORT and STORE: see ../settings.ts.
import { idempotency } from 'hapax/koa'
import Koa from 'koa'
import { Orders } from '../orders.ts'
import { closed, portOf, readSettings, serving } from '../settings.ts'

const { port, store, disconnect } = await readSettings()
const orders = new Orders()

const once = idempotency({ store, scope: false })
const app = new Koa()
app.use(once)
app.use((ctx) => {
  if (ctx.method === 'POST' && ctx.path === '/api/orders') {
    ctx.status = 201
    ctx.body = orders.create()
  }
  if (ctx.method === 'GET' && ctx.path === '/effects') ctx.body = orders.effects()
})

const server = app.listen(port, '127.0.0.1', () => {
  serving(portOf(server), async () => {
    await closed(server)
    await once.close()
    await disconnect()
  })
})
