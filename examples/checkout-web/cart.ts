export interface Cart {
  readonly cart: string
  readonly quantity: number
}

/** Undefined for what no page of ours sends. */
export function readCart(body: unknown): Cart | undefined {
  if (typeof body !== 'object' || body === null) return undefined
  const { cart, quantity } = body as Partial<Record<string, unknown>>
  if (typeof cart !== 'string' || !Number.isInteger(quantity)) return undefined
  const count = Number(quantity)
  return count >= 1 && count <= 9 ? { cart, quantity: count } : undefined
}
