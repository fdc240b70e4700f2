/** What is measured side by side in one run. `baseline` is what its ratio is taken to. */
export interface Variant {
  readonly name: string
  readonly store: 'none' | 'memory' | 'sqlite'
  readonly traffic: Traffic
  readonly baseline: string
}

/** `first`: a new key each time. `replay`: one key. `unkeyed`: a guarded route, no key. `plain`: no hapax at all. */
export type Traffic = 'plain' | 'unkeyed' | 'first' | 'replay'

export const variants: readonly Variant[] = [
  { name: 'bare Express', store: 'none', traffic: 'plain', baseline: 'bare Express' },
  { name: 'guarded, no key', store: 'memory', traffic: 'unkeyed', baseline: 'bare Express' },
  { name: 'memory, first request', store: 'memory', traffic: 'first', baseline: 'bare Express' },
  { name: 'memory, replay', store: 'memory', traffic: 'replay', baseline: 'bare Express' },
  { name: 'SQLite (FULL), first request', store: 'sqlite', traffic: 'first', baseline: 'bare Express' },
  { name: 'SQLite (FULL), replay', store: 'sqlite', traffic: 'replay', baseline: 'bare Express' },
]
