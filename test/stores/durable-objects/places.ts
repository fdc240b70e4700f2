// What the contract is told of the store, in the Worker that runs it and in the process that asks for it.
import type { StoreSubject } from '../../../src/testing/store.ts'

export const traits = {
  name: 'Durable Objects',
  capabilities: { shared: true, watch: true, inspect: true },
  longestBodyBytes: 1_990_000,
} satisfies Partial<StoreSubject<string>>
