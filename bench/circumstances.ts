import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'

/** Date, versions and machine: what a figure is worth nothing without. */
export function circumstances(): string {
  const date = new Date().toISOString().slice(0, 10)
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../package.json'), 'utf8'))
  return `${date}, hapax ${version}, Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`
}
