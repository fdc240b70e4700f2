// A checkout that charges a card, writes an order and sends a receipt: each once, whatever happens on the way.
import express from 'express'

export interface Cart {
  readonly email: string
  readonly item: string
  readonly cents: number
}

/** A payment provider whose API takes an idempotency key, as most do. */
export interface Payments {
  charge(cents: number, idempotencyKey: string): Promise<{ readonly id: string }>
}

/** A mail service; its API takes a key too. */
export interface Mail {
  sendReceipt(email: string, order: string, idempotencyKey: string): Promise<void>
}

/** The application's own table of orders. */
export interface Orders<Transaction> {
  insert(transaction: Transaction, cart: Cart, charge: string): Promise<{ readonly id: string }>
}

export interface Parts<Transaction> {
  /** What `idempotency()` of hapax/express returns. */
  readonly once: express.RequestHandler
  readonly payments: Payments
  readonly orders: Orders<Transaction>
  readonly mail: Mail
}

export function checkout<Transaction>({ once, payments, orders, mail }: Parts<Transaction>): express.Express {
  const app = express()
  app.use('/orders', once, express.json())

  app.post('/orders', async (req, res) => {
    const cart = req.body as Cart
    const { step, transaction, derive } = req.idempotency

    // Safe to repeat: the provider takes the derived key twice for one charge.
    const charge = await step('charge', () => payments.charge(cart.cents, derive('charge')), { safe: true })

    // The order and the memory of it are one transaction. No key of its own is needed.
    const order = await transaction('order', (sql: Transaction) => orders.insert(sql, cart, charge.id))

    await step('receipt', () => mail.sendReceipt(cart.email, order.id, derive('receipt')), { safe: true })

    res.status(201).location(`/orders/${order.id}`).json({ order: order.id, charge: charge.id })
  })
  return app
}
