// Virtual time: the next event, then all promises that it settles, then the next event.

interface Event {
  readonly atMs: number
  readonly order: number
  run: (() => void) | undefined
}

export class Scheduler {
  nowMs = 0
  /** How many events have run. */
  events = 0
  #order = 0
  readonly #heap: Event[] = []

  /** Runs `callback` at `atMs`, or at once if that is past. Returns how to call it off. */
  at(atMs: number, callback: () => void): () => void {
    this.#order += 1
    const event: Event = { atMs: Math.max(atMs, this.nowMs), order: this.#order, run: callback }
    this.#push(event)
    return () => {
      event.run = undefined
    }
  }

  after(delayMs: number, callback: () => void): () => void {
    return this.at(this.nowMs + delayMs, callback)
  }

  /** Runs until `done`, or until nothing is left to happen; false if `maxEvents` or `maxMs` came first. */
  async runUntil(done: () => boolean, maxMs: number, maxEvents: number): Promise<boolean> {
    while (!done()) {
      const event = this.#pop()
      if (event === undefined) return done()
      if (event.run === undefined) continue
      if (event.atMs > maxMs || this.events >= maxEvents) {
        this.#push(event)
        return false
      }
      this.nowMs = event.atMs
      this.events += 1
      event.run()
      await settled()
    }
    return true
  }

  #push(event: Event): void {
    const heap = this.#heap
    let index = heap.length
    heap.push(event)
    while (index > 0) {
      const parent = (index - 1) >> 1
      const above = heap[parent]
      if (above === undefined || isBefore(above, event)) break
      heap[index] = above
      index = parent
    }
    heap[index] = event
  }

  #pop(): Event | undefined {
    const heap = this.#heap
    const [first] = heap
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      let below = heap[child]
      if (below === undefined) break
      const right = heap[child + 1]
      if (right !== undefined && isBefore(right, below)) {
        child += 1
        below = right
      }
      if (isBefore(last, below)) break
      heap[index] = below
      index = child
    }
    heap[index] = last
    return first
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

/**
 * Resolves when every promise job has run, and those that they caused. Node empties the queue of promise jobs
 * before it takes the next tick, so a tick that is asked for by a promise job comes after all of them.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve))
}
