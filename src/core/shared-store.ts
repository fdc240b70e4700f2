import type { Store } from './store.ts'

// Several engines (one for each router, say) may share a store, which must outlive all of them but the last.
const users = new WeakMap<Store, number>()

export function attach(store: Store): void {
  users.set(store, (users.get(store) ?? 0) + 1)
}

/** True if that was the last engine, and the store should be closed. */
export function detach(store: Store): boolean {
  const left = (users.get(store) ?? 1) - 1
  users.set(store, left)
  return left === 0
}
