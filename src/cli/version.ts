import { createRequire } from 'node:module'

/** The version in package.json, found by the package's own name: from src/ and from dist/ alike. */
export function packageVersion(): string {
  // require() can't know what a JSON file holds.
  const manifest = createRequire(import.meta.url)('hapax/package.json') as { version: string }
  return manifest.version
}
