import { randomBytes } from 'node:crypto'

export interface Order {
  readonly order: string
  readonly item: Item
  readonly quantity: number
  readonly amountCents: number
  readonly currency: 'EUR'
}

export interface OrderRequest {
  readonly item: Item
  readonly quantity: number
  readonly cart?: string
}

const priceCents = { book: 1800, coffee: 450, ticket: 6900 }

export type Item = keyof typeof priceCents

/** What the body asks for, or a sentence that says what is wrong with it. */
export function readOrderRequest(body: string): OrderRequest | string {
  const fields = parseObject(body)
  if (fields === undefined) return 'Send a JSON object, for example {"item":"book","quantity":1}.'
  const { item, quantity = 1, cart } = fields
  if (!isItem(item)) return `"item" must be one of ${Object.keys(priceCents).join(', ')}.`
  if (typeof quantity !== 'number' || !Number.isInteger(quantity) || quantity < 1 || quantity > 100) {
    return '"quantity" must be a whole number from 1 to 100.'
  }
  if (cart !== undefined && typeof cart !== 'string') return '"cart" must be a string.'
  return { item, quantity, ...(cart !== undefined && { cart }) }
}

/** Two runs make two orders: the number shows which one an answer speaks of. */
export function newOrder({ item, quantity }: OrderRequest): Order {
  return {
    order: `ord_${randomBytes(4).toString('hex')}`,
    item,
    quantity,
    amountCents: priceCents[item] * quantity,
    currency: 'EUR',
  }
}

/** The order that a charge paid for, in the very fields of the answer. */
export function orderOf({ order, item, quantity, amountCents, currency }: Order): Order {
  return { order, item, quantity, amountCents, currency }
}

function isItem(value: unknown): value is Item {
  return typeof value === 'string' && Object.hasOwn(priceCents, value)
}

function parseObject(body: string): Partial<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
