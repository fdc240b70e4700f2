import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dirname, 'corpus')

/** What once broke a target, and is run first ever since. */
export function savedInputs(target: string): Buffer[] {
  const own = join(folder, target)
  if (!existsSync(own)) return []
  return readdirSync(own)
    .toSorted()
    .map((name) => readFileSync(join(own, name)))
}

/** Keeps an input, and returns the path of its file. */
export function saveInput(target: string, input: Uint8Array): string {
  const own = join(folder, target)
  mkdirSync(own, { recursive: true })
  const name = createHash('sha256').update(input).digest('hex').slice(0, 16)
  const path = join(own, name)
  writeFileSync(path, input)
  return path
}
