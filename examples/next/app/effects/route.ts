import { countOrders } from '../../lib/orders.ts'

export const dynamic = 'force-dynamic'

export function GET(): Response {
  return Response.json({ count: countOrders() })
}
