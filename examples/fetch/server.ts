// hapax/fetch. On Node a small server turns its requests into those of fetch; Bun, Deno and Workers take `handle` as
// it is. PORT and STORE: see ../settings.ts.
import { serve } from '@hono/node-server'
import { idempotency } from 'hapax/fetch'
import { Orders } from '../orders.ts'
import { closed, portOf, readSettings, serving } from '../settings.ts'

const { port, store, disconnect } = await readSettings()
const orders = new Orders()

const once = idempotency({ store, scope: false })
const createOrder = once(() => Response.json(orders.create(), { status: 201 }))

async function handle(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  if (request.method === 'POST' && pathname === '/api/orders') return createOrder(request)
  if (request.method === 'GET' && pathname === '/effects') return Response.json(orders.effects())
  return new Response('Not found', { status: 404 })
}

const server = serve({ fetch: handle, port, hostname: '127.0.0.1' }, () => {
  serving(portOf(server), async () => {
    await closed(server)
    await once.close()
    await disconnect()
  })
})
