import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * The path of a Node of that version. Other versions than the running one come from npm packages that carry
 * the binary, kept in `.cache/` between runs.
 */
export async function nodeBinary(version: string): Promise<string> {
  if (process.versions.node === version) return process.execPath
  const folder = fileURLToPath(new URL(`../../.cache/node-${version}/`, import.meta.url))
  const binary = `${folder}node_modules/.bin/node`
  if (!existsSync(binary)) {
    const carrier = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}@${version}`
    await run('npm', ['install', '--no-audit', '--no-fund', '--no-save', '--prefix', folder, carrier])
  }
  return binary
}
