import { resolve } from 'node:path'

/**
 * Where the demo keeps its records. A new kind of store is a variant here, a line in each function
 * below, and one in `openStore`.
 */
export type StoreAddress = { readonly kind: 'memory' } | { readonly kind: 'sqlite'; readonly file: string }

/** Reads `memory`, `sqlite:FILE` or `FILE`; `undefined` for anything else. */
export function parseStoreAddress(text: string): StoreAddress | undefined {
  if (text === 'memory') return { kind: 'memory' }
  // Two letters at least: one letter and a colon is a drive of Windows.
  const [, scheme, rest = ''] = /^([a-z][a-z\d+.-]+):(.*)$/i.exec(text) ?? []
  const file = scheme === undefined ? text : scheme === 'sqlite' ? rest : ''
  return file === '' ? undefined : { kind: 'sqlite', file: resolve(file) }
}

export function describeStore(address: StoreAddress): string {
  return address.kind === 'memory'
    ? 'memory (each process has its own, and forgets it when killed)'
    : `sqlite:${address.file}`
}
