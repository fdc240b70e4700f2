// The adapter contract of hapax/fetch in Bun and in Deno, on their own servers: client, handlers and server run there.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'

const run = promisify(execFile)
const folder = fileURLToPath(new URL('../../tools/runtimes', import.meta.url))

beforeAll(async () => {
  await run('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder })
}, 240_000)

test.each([
  ['Bun', 'bun', []],
  ['Deno', 'deno', ['run', '--allow-all']],
])('%s keeps the contract', async (_, program, flags) => {
  const { stdout } = await run(`${folder}/node_modules/.bin/${program}`, [...flags, 'contract.ts'], {
    cwd: folder,
  }).catch((error: { stdout: string }) => error)
  // What failed stands before it.
  expect(stdout).toMatch(/^\d{3} passed, 0 failed\n$/)
})
