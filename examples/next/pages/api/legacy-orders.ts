// The pages API: hapax/node.
import { idempotency } from 'hapax/node'
import type { NextApiRequest, NextApiResponse } from 'next'
import { createOrder } from '../../lib/orders.ts'
import { store } from '../../lib/settings.ts'

const once = idempotency<NextApiRequest, NextApiResponse>({ store, scope: false })

export default once((request, response) => {
  if (request.method !== 'POST') return response.status(405).end()
  response.status(201).json(createOrder(String(request.body.item)))
})
