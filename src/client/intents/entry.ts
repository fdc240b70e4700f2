/** What is kept of an intent: never its body, which may hold what should not lie in a browser. */
export interface Entry {
  readonly key: string
  /** Tells its request from others. */
  readonly request: string
  readonly sinceMs: number
  readonly expiresAtMs: number
  /** Set where a finished intent is kept, so that it can be repeated and not made anew. */
  readonly done?: true
}

/** Undefined for text that is none of ours. */
export function parseEntry(text: string): Entry | undefined {
  try {
    const entry: unknown = JSON.parse(text)
    return isEntry(entry) ? entry : undefined
  } catch {
    return undefined
  }
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false
  const { key, request, sinceMs, expiresAtMs } = value as Partial<Record<string, unknown>>
  return (
    typeof key === 'string' &&
    typeof request === 'string' &&
    typeof sinceMs === 'number' &&
    typeof expiresAtMs === 'number'
  )
}
