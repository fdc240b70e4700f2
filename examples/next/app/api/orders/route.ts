// A route handler: hapax/fetch.
import { idempotency } from 'hapax/fetch'
import { after } from 'next/server'
import { createOrder } from '../../../lib/orders.ts'
import { store } from '../../../lib/settings.ts'

const once = idempotency({
  store,
  scope: false,
  concurrent: { wait: '5s' },
  // Where functions end with their answer, as on Vercel: an answer is recorded although its client has left.
  waitUntil: (work) => after(() => work),
})

export const POST = once(async (request) => {
  const { item } = (await request.json()) as { item: string }
  return Response.json(createOrder(item), { status: 201 })
})
