interface Globals {
  readonly navigator?: { readonly onLine?: boolean }
  addEventListener?(type: string, listener: () => void): void
  removeEventListener?(type: string, listener: () => void): void
}

// What browsers have on top of what Node has.
const globals = globalThis as unknown as Globals

/** Waits, and then for the network where the browser says that there is none, but no longer than `mostMs`. */
export async function pause(ms: number, mostMs: number, signal: AbortSignal | undefined): Promise<void> {
  const givesUpAtMs = performance.now() + mostMs
  await sleep(ms, signal)
  if (globals.navigator?.onLine === false) {
    await sleep(Math.max(0, givesUpAtMs - performance.now()), signal, 'online')
  }
}

/** Ends early at the event; rejects with the signal's reason. */
function sleep(ms: number, signal: AbortSignal | undefined, event?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      if (event !== undefined) globals.removeEventListener?.(event, done)
      if (signal?.aborted) reject(signal.reason)
      else resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done)
    if (event !== undefined) globals.addEventListener?.(event, done)
    if (signal?.aborted) done()
  })
}
