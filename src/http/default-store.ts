import type { Store } from '../core/store.ts'

/**
 * A memory store that is loaded with its first verb: most services bring a store of their own, and need none of its rules.
 * Every verb of a store may wait and may reject, so nobody can tell.
 */
export function defaultStore(): Store {
  let loaded: Store | undefined
  // No promise is kept: one that failed would fail for ever, and Workers let no request wait for what another one began.
  async function load(): Promise<Store> {
    const { memoryStore } = await import('../stores/memory.ts')
    loaded ??= memoryStore()
    return loaded
  }
  function on<T>(verb: (store: Store) => Promise<T>): Promise<T> {
    return loaded === undefined ? load().then(verb) : verb(loaded)
  }
  return {
    name: 'memory',
    durable: false,
    claim: (request) => on((store) => store.claim(request)),
    renew: (leases) => on((store) => store.renew(leases)),
    complete: (lease, outcome) => on((store) => store.complete(lease, outcome)),
    release: (lease, options) => on((store) => store.release(lease, options)),
    abandon: (id, owner) => on((store) => store.abandon(id, owner)),
    recordStep: (lease, change) => on((store) => store.recordStep(lease, change)),
    watch: (id, listener) => on(async (store) => (await store.watch?.(id, listener)) ?? (() => {})),
    close: () => on((store) => store.close()),
  }
}
