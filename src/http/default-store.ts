import type { Store, Unsubscribe } from '../core/store.ts'

/**
 * A memory store that is loaded with its first verb: most services bring a store of their own, and need none of its rules.
 * Every verb of a store may wait and may reject, so nobody can tell.
 */
export function defaultStore(): Store {
  let loading: Promise<Store> | undefined
  const loaded = (): Promise<Store> => (loading ??= load())
  return {
    name: 'memory',
    durable: false,
    claim: async (request) => (await loaded()).claim(request),
    renew: async (leases) => (await loaded()).renew(leases),
    complete: async (lease, outcome) => (await loaded()).complete(lease, outcome),
    release: async (lease, options) => (await loaded()).release(lease, options),
    abandon: async (id, owner) => (await loaded()).abandon(id, owner),
    recordStep: async (lease, change) => (await loaded()).recordStep(lease, change),
    watch: async (id, listener): Promise<Unsubscribe> => (await loaded()).watch?.(id, listener) ?? (() => {}),
    close: async () => (await loaded()).close(),
  }
}

async function load(): Promise<Store> {
  const { memoryStore } = await import('../stores/memory.ts')
  return memoryStore()
}
