import type { Ending } from './customer.ts'

/** What one shop did to its customers, by its ledger. */
export interface Verdict {
  readonly charges: number
  /** Intents that were charged more than once. */
  readonly chargedTwice: readonly string[]
  /** Intents whose customer holds an order that the ledger does not know. */
  readonly answeredNotCharged: readonly string[]
  /** Intents whose customer was told that the outcome is unknown. */
  readonly outcomeUnknown: { readonly charged: readonly string[]; readonly notCharged: readonly string[] }
  /** Intents whose customer got no order and no reason. */
  readonly noAnswer: readonly string[]
}

export interface ChargedOrder {
  readonly order: string
  /** The intent. */
  readonly cart?: string
}

/**
 * Compares what the customers hold with what the ledger says. What the servers claim plays no part.
 *
 * @param endings How each click ended, by intent.
 */
export function judge(
  endings: ReadonlyMap<string, readonly Ending[]>,
  charges: readonly ChargedOrder[],
): Verdict {
  const charged = ordersByIntent(charges)
  const intents = [...endings.keys()]
  const chargesOf = (intent: string): readonly string[] => charged.get(intent) ?? []
  const toldOf = (intent: string): readonly Ending[] => endings.get(intent) ?? []

  const unknown = intents.filter((intent) => isUnknown(toldOf(intent)))
  return {
    charges: charges.length,
    // Of the ledger's intents, not the customers': a charge that nobody asked for counts too.
    chargedTwice: [...charged].filter(([, orders]) => orders.length > 1).map(([intent]) => intent),
    answeredNotCharged: intents.filter((intent) =>
      toldOf(intent).some((told) => told.kind === 'order' && !chargesOf(intent).includes(told.order)),
    ),
    outcomeUnknown: {
      charged: unknown.filter((intent) => chargesOf(intent).length > 0),
      notCharged: unknown.filter((intent) => chargesOf(intent).length === 0),
    },
    noAnswer: intents.filter((intent) =>
      toldOf(intent).every(({ kind }) => kind === 'no-answer' || kind === 'refused'),
    ),
  }
}

/** No customer charged twice, none with an answer that is not true, none left without one. */
export function isGood({ chargedTwice, answeredNotCharged, noAnswer }: Verdict): boolean {
  return chargedTwice.length + answeredNotCharged.length + noAnswer.length === 0
}

function isUnknown(endings: readonly Ending[]): boolean {
  return (
    endings.some(({ kind }) => kind === 'outcome-unknown') && !endings.some(({ kind }) => kind === 'order')
  )
}

function ordersByIntent(charges: readonly ChargedOrder[]): ReadonlyMap<string, readonly string[]> {
  const orders = new Map<string, string[]>()
  for (const { cart = '', order } of charges) orders.set(cart, [...(orders.get(cart) ?? []), order])
  return orders
}
