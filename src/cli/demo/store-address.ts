import { randomBytes } from 'node:crypto'
import { resolve } from 'node:path'
import { withoutPassword } from '../connect/driver.ts'

/**
 * Where the demo keeps its records. A new kind of store is a variant here, a line in each function
 * below, and one in `openStore`.
 */
export type StoreAddress =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; readonly file: string }
  | RedisAddress

export interface RedisAddress {
  readonly kind: 'redis'
  readonly url: string
  /** Of this run only: the ledgers begin empty too. */
  readonly prefix: string
}

/** Reads `memory`, `sqlite:FILE` or `FILE`; `undefined` for anything else. */
export function parseStoreAddress(text: string): StoreAddress | undefined {
  if (text === 'memory') return { kind: 'memory' }
  // Two letters at least: one letter and a colon is a drive of Windows.
  const [, scheme, rest = ''] = /^([a-z][a-z\d+.-]+):(.*)$/i.exec(text) ?? []
  const file = scheme === undefined ? text : scheme === 'sqlite' ? rest : ''
  return file === '' ? undefined : { kind: 'sqlite', file: resolve(file) }
}

/** Reads `redis://…` or `rediss://…`; `undefined` for anything else. */
export function parseRedisUrl(text: string): RedisAddress | undefined {
  if (!/^rediss?:\/\/./i.test(text) || !URL.canParse(text)) return undefined
  return { kind: 'redis', url: text, prefix: `hapax-demo-${randomBytes(4).toString('hex')}:` }
}

export function describeStore(address: StoreAddress): string {
  switch (address.kind) {
    case 'memory':
      return 'memory (each process has its own, and forgets it when killed)'
    case 'sqlite':
      return `sqlite:${address.file}`
    case 'redis':
      return `${withoutPassword(address.url)} (keys ${address.prefix}*, which expire by themselves)`
  }
}
