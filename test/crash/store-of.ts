import type { Store } from '../../src/core/store.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'

/** The store that a URL names; each kind of store that several processes can share is one line here. */
export async function storeOf(url: string): Promise<Store> {
  if (url.startsWith('sqlite:')) return sqliteStore(url.slice('sqlite:'.length))
  throw new Error(`No store for ${url}`)
}
