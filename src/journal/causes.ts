/** What `find` makes of an error, or of what caused it: libraries wrap the errors of the drivers below them. */
export function findInCauses<T>(
  error: unknown,
  find: (fields: Readonly<Record<string, unknown>>) => T | undefined,
): T | undefined {
  let current = error
  // Causes may form a ring.
  for (let depth = 0; depth < 10; depth += 1) {
    if (typeof current !== 'object' || current === null) return undefined
    const found = find(current as Readonly<Record<string, unknown>>)
    if (found !== undefined) return found
    current = 'cause' in current ? current.cause : undefined
  }
  return undefined
}
