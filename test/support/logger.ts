import type { Logger } from '../../src/core/misuse.ts'

/** Collects warnings instead of printing them. */
export function collectingLogger(): { logger: Logger; warnings: string[] } {
  const warnings: string[] = []
  return { logger: { warn: (message) => warnings.push(message) }, warnings }
}
