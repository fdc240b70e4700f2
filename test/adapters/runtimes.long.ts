// The adapter contract of hapax/fetch in Bun and in Deno, on their own servers, and on the older releases of Node that
// hapax supports: client, handlers and server run there.
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { nodeBinary } from '../support/node-binary.ts'

const run = promisify(execFile)
const folder = fileURLToPath(new URL('../../tools/runtimes', import.meta.url))

describe('with servers of their own', () => {
  beforeAll(async () => {
    await run('npm', ['ci', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: folder })
  }, 240_000)

  test.each([
    ['Bun', 'bun', []],
    ['Deno', 'deno', ['run', '--allow-all']],
  ])('%s keeps the contract', async (_, program, flags) => {
    expectWhole(await printed(`${folder}/node_modules/.bin/${program}`, [...flags, 'contract.ts']))
  })
})

describe('older releases of Node', () => {
  let scratch: string
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'hapax-runtimes-'))
    // They can't strip types.
    await build({
      entryPoints: [join(folder, 'node.ts'), join(folder, 'node-undici.ts')],
      outdir: scratch,
      outExtension: { '.js': '.mjs' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
    })
  })
  afterAll(() => rm(scratch, { recursive: true }))

  test.each([
    ['20.19.6', '@hono/node-server', 'node.mjs'],
    ['22.14.0', '@hono/node-server', 'node.mjs'],
    ['20.19.6', 'Request and Response of its own', 'node-undici.mjs'],
    ['22.14.0', 'Request and Response of its own', 'node-undici.mjs'],
  ])(
    'Node %s keeps the contract on %s',
    async (version, _, program) => {
      const node = await nodeBinary(version)
      expectWhole(await printed(node, [join(scratch, program)]))
    },
    240_000,
  )
})

async function printed(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(program, args, { cwd: folder }).catch((error: { stdout: string }) => error)
  return stdout
}

/** That these cases failed and no others, of the more than a hundred that ran. */
function expectWhole(output: string): void {
  const failed = Array.from(output.matchAll(/^FAILED adapter contract: fetch > (.*)$/gm), ([, name]) => name)
  expect(failed, output).toEqual([])
  expect(output.trimEnd().split('\n').at(-1)).toMatch(/^\d{3} passed, 0 failed$/)
}
