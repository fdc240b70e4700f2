import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A new folder that is removed when this process ends. */
export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'hapax-demo-'))
  process.once('exit', () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }))
  return path
}
