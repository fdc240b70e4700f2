import express, { type Request } from 'express'
import { onTestFinished } from 'vitest'
import { type ExpressOptions, idempotency } from '../../src/adapters/express.ts'
import { serve } from '../support/express.ts'

export interface Shop {
  readonly port: number
  readonly url: string
  /** Every effect that happened, oldest first: the item that was bought. */
  readonly sold: string[]
}

export interface ShopOptions extends Partial<ExpressOptions<Request>> {
  readonly workMs?: number
  /** Instead of selling. */
  readonly refuseWith?: () => number | undefined
}

/** An orders API on Express behind hapax, which tells what it really sold. */
export async function openShop({ workMs = 20, refuseWith, ...options }: ShopOptions = {}): Promise<Shop> {
  const sold: string[] = []
  const once = idempotency<Request>({ scope: false, ...options })
  onTestFinished(() => once.close())
  const app = express()
  // The default error handler logs but in this environment.
  app.set('env', 'test')
  app.use(once, express.json(), express.text(), express.urlencoded())
  app.post('/orders', async (req, res) => {
    const refusal = refuseWith?.()
    if (refusal !== undefined) return void res.status(refusal).json({ refused: true })
    const item = typeof req.body === 'object' ? String(req.body.item) : String(req.body)
    sold.push(item)
    const order = { order: sold.length, item, key: req.idempotency.key }
    await new Promise((resolve) => setTimeout(resolve, workMs))
    res.status(201).json(order)
  })
  const { port } = await serve(app)
  return { port, url: `http://127.0.0.1:${port}/orders`, sold }
}
