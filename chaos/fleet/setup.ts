/** What a server process of the fleet is told at its start, through `CHAOS_SETUP`. */
export interface ServerSetup {
  readonly store: string
  readonly leaseMs: number
  readonly storeTimeoutMs: number
  readonly handlerMs: number
  /** The folder of an unpacked release to run instead of these sources. */
  readonly release?: string
}

/** What a server process can be told while it runs. */
export type Order =
  | { readonly order: 'jump-clock'; readonly byMs: number }
  | { readonly order: 'hold-connections'; readonly forMs: number }

export const setupVariable = 'CHAOS_SETUP'
