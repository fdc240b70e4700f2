// hapax/node. PORT and STORE: see ../settings.ts.
import { createServer, type ServerResponse } from 'node:http'
import { idempotency } from 'hapax/node'
import { Orders } from '../orders.ts'
import { closed, portOf, readSettings, serving } from '../settings.ts'

const { port, store, disconnect } = await readSettings()
const orders = new Orders()

const once = idempotency({ store, scope: false })
const createOrder = once((_request, response) => answer(response, 201, orders.create()))

const server = createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/api/orders') void createOrder(request, response)
  else if (request.method === 'GET' && request.url === '/effects') answer(response, 200, orders.effects())
  else answer(response, 404, { message: 'Not found' })
})
server.listen(port, '127.0.0.1', () => {
  serving(portOf(server), async () => {
    await closed(server)
    await once.close()
    await disconnect()
  })
})

function answer(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(value))
}
