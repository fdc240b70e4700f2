import { Ledger } from './ledger.ts'
import type { Protection } from './shop/settings.ts'
import type { StoreAddress } from './store-address.ts'
import { SupervisedShop } from './supervisor.ts'

/** One of the two shops as the demo's page shows it: a process, the path it serves, and its charges. */
export interface Shopfront {
  readonly name: 'protected' | 'unprotected'
  readonly path: string
  readonly shop: SupervisedShop
  readonly ledger: Ledger
}

/** Short, so that nobody waits long after a crash; the default of hapax is 30 s. */
const leaseMs = 3000

/** @param ledgers What the names of the ledger files begin with. */
export function openShopfronts(store: StoreAddress, ledgers: string): readonly Shopfront[] {
  const hapax: Protection = { kind: 'hapax', store, leaseMs, recovery: 'look-up' }
  return [
    openShopfront('protected', '/orders', `${ledgers}.charges.jsonl`, hapax),
    openShopfront('unprotected', '/unprotected/orders', `${ledgers}.charges-unprotected.jsonl`, {
      kind: 'none',
    }),
  ]
}

function openShopfront(
  name: Shopfront['name'],
  path: string,
  ledger: string,
  protection: Protection,
): Shopfront {
  const shop = new SupervisedShop({ counters: [{ path, ledger, protection }] })
  return { name, path, shop, ledger: new Ledger(ledger) }
}
