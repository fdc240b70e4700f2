import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export const root = join(import.meta.dirname, '../..')

export type Format = 'esm' | 'cjs'

interface Conditions {
  readonly default?: string
  readonly import?: { readonly default: string }
  readonly require?: { readonly default: string }
}

/** A public import. */
export interface Entry {
  /** As users write it: `hapax/express`. */
  readonly specifier: string
  /** Of its source in src/ and of its file in dist/, without what they end with: `adapters/express`. */
  readonly path: string
}

/** The public imports that have a file in `format`, as package.json lists them. */
export function entriesOf(format: Format): Entry[] {
  const manifest: { readonly exports: Record<string, string | Conditions> } = JSON.parse(
    readFileSync(join(root, 'package.json'), 'utf8'),
  )
  return Object.entries(manifest.exports).flatMap(([subpath, conditions]) => {
    const file = typeof conditions === 'string' ? undefined : fileOf(conditions, format)
    const path = file?.match(/^\.\/dist\/(?:esm|cjs)\/(.+)\.js$/)?.[1]
    return path === undefined ? [] : [{ specifier: subpath.replace('.', 'hapax'), path }]
  })
}

function fileOf(conditions: Conditions, format: Format): string | undefined {
  return format === 'cjs' ? conditions.require?.default : (conditions.import?.default ?? conditions.default)
}
