// Several engines (one for each router, say) may share a store or a journal, which must outlive all of them but the
// last.
const users = new WeakMap<object, number>()

export function attach(shared: object): void {
  users.set(shared, (users.get(shared) ?? 0) + 1)
}

/** True if that was the last engine, and what it shared should be closed. */
export function detach(shared: object): boolean {
  const left = (users.get(shared) ?? 1) - 1
  users.set(shared, left)
  return left === 0
}
