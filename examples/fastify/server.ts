// hapax/fastify. PORT and STORE: see ../settings.ts.
import fastify from 'fastify'
import { idempotency } from 'hapax/fastify'
import { Orders } from '../orders.ts'
import { portOf, readSettings, serving } from '../settings.ts'

const { port, store, disconnect } = await readSettings()
const orders = new Orders()

const app = fastify()
await app.register(idempotency, { store, scope: false })
app.post('/api/orders', async (_request, reply) => reply.code(201).send(orders.create()))
app.get('/effects', async () => orders.effects())

await app.listen({ port, host: '127.0.0.1' })
// Closing the app closes the plugin with it.
serving(portOf(app.server), () => app.close().then(disconnect))
