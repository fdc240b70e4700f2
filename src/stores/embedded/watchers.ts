import type { Unsubscribe } from '../../core/store.ts'

/** Listeners by record, called in a turn of their own: one that throws can't break the verb that called it. */
export class Watchers {
  readonly #byId = new Map<string, Set<() => void>>()

  get ids(): IterableIterator<string> {
    return this.#byId.keys()
  }

  get size(): number {
    return this.#byId.size
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  add(id: string, listener: () => void): Unsubscribe {
    // The same function may be given twice, and each subscription ends on its own.
    const entry = () => listener()
    const entries = this.#byId.get(id) ?? new Set()
    this.#byId.set(id, entries.add(entry))
    return () => {
      entries.delete(entry)
      if (entries.size === 0 && this.#byId.get(id) === entries) this.#byId.delete(id)
    }
  }

  notify(id: string): void {
    const entries = this.#byId.get(id)
    if (entries === undefined) return
    for (const entry of entries) {
      queueMicrotask(() => {
        if (entries.has(entry)) entry()
      })
    }
  }

  clear(): void {
    for (const entries of this.#byId.values()) entries.clear()
    this.#byId.clear()
  }
}
