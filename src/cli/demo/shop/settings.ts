import type { StoreAddress } from '../store-address.ts'

/** What one shop process serves. Travels to it as JSON. */
export interface ShopSettings {
  readonly counters: readonly CounterSettings[]
}

/** One place to order at: the same handler everywhere, with hapax in front of it or without. */
export interface CounterSettings {
  readonly path: string
  /** The file of the charges. */
  readonly ledger: string
  readonly protection: Protection
}

export type Protection =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'hapax'
      readonly store: StoreAddress
      readonly leaseMs: number
      /** After a crash: say that the outcome is unknown, or look for the charge in the ledger. */
      readonly recovery: 'refuse' | 'look-up'
    }

/** What a shop process tells its supervisor. */
export type ShopMessage =
  | { readonly kind: 'up'; readonly port: number }
  | { readonly kind: 'failed'; readonly message: string }

/** Fields with which the demo breaks things on purpose, and tells what it did. */
export const demoHeaders = {
  /** A list of {@link Fault}s. */
  fault: 'demo-fault',
  /** How long the handler works before it charges, in milliseconds. */
  workMs: 'demo-work-ms',
  /** `refuse`: do not look in the ledger after a crash. */
  recovery: 'demo-recovery',
  /** On an answer: the shop's recovery function found it. */
  found: 'demo-found',
} as const

export type Fault = 'answer-lost' | 'kill-before-charge' | 'kill-after-charge'
