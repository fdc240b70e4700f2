import { createRequire } from 'node:module'
import { dirname, extname, join } from 'node:path'

// In a checkout these sources run as they are.
const extension = extname(import.meta.url)
const folder = extension === '.ts' ? 'src' : 'dist/esm'

/** Where a file of `src/` is, there or compiled, found by the package's own name: a bundler moves whoever asks. */
export function ownFile(path: string): string {
  return join(dirname(createRequire(import.meta.url).resolve('hapax/package.json')), folder, path)
}

/** `name` as a module of this release: with `.ts` in a checkout, with `.js` where it is compiled. */
export function moduleFile(name: string): string {
  return name + extension
}
