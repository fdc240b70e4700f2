// Stands for the payment provider: a file of charges that knows nothing of hapax.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { Cart } from './cart.ts'

export interface Order {
  readonly order: string
  readonly quantity: number
  readonly amountCents: number
}

export interface Charge extends Order {
  readonly cart: string
  /** The idempotency key of the request, where it had one. */
  readonly key: string | undefined
}

const priceCents = 1800

/** Takes the money. */
export function recordCharge(file: string, { cart, quantity }: Cart, key: string | undefined): Charge {
  const order = `ord_${crypto.randomUUID().slice(0, 8)}`
  const charge = { order, quantity, amountCents: quantity * priceCents, cart, key }
  appendFileSync(file, `${JSON.stringify(charge)}\n`, { flush: true })
  return charge
}

export function chargesIn(file: string): readonly Charge[] {
  if (!existsSync(file)) return []
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  return lines.map((line): Charge => JSON.parse(line))
}
