import type { IntentStorage } from './storage.ts'

interface Globals {
  readonly navigator?: {
    readonly locks?: { request<T>(name: string, callback: () => T): Promise<T> }
  }
}

// What browsers have on top of what Node has.
const globals = globalThis as unknown as Globals

/**
 * Keeps intents in the browser: `'session'` for this tab, through reloads; `'local'` for all tabs of the origin, until
 * they are done.
 *
 * Two tabs that begin the same intent at the same moment get one key: by a Web Lock; where there is none (pages
 * without HTTPS), by looking again a moment after writing.
 */
export function webStorage(kind: 'session' | 'local'): IntentStorage {
  return {
    change(name, next) {
      const path = `hapax:${name}`
      const { locks } = globals.navigator ?? {}
      if (kind === 'local' && locks !== undefined)
        return locks.request(path, () => changeNow(kind, path, next))
      const text = changeNow(kind, path, next)
      return kind === 'local' ? settled(path, text) : text
    },
  }
}

function changeNow(
  kind: 'session' | 'local',
  path: string,
  next: (kept: string | undefined) => string | undefined,
): string | undefined {
  // To name the storage is enough for a browser that forbids it to throw.
  const storage = kind === 'local' ? localStorage : sessionStorage
  const kept = storage.getItem(path) ?? undefined
  const text = next(kept)
  if (text === undefined) storage.removeItem(path)
  else if (text !== kept) storage.setItem(path, text)
  return text
}

const settleMs = 60

/** Of tabs that write at the same moment the last one wins, and each looks after that moment. */
async function settled(path: string, text: string | undefined): Promise<string | undefined> {
  if (text === undefined) return undefined
  await new Promise((resolve) => setTimeout(resolve, settleMs))
  return localStorage.getItem(path) ?? text
}
