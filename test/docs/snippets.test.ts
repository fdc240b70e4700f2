// Compiles and runs every TypeScript snippet of the README and docs, against the built package by its own name.
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startOwnRedis } from '../../scripts/services/index.ts'
import { servers } from '../support/servers.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
// Inside the package, so that `hapax/express` resolves to its own exports.
const folder = join(root, '.cache/snippets')

/** Most of it is waiting for a machine that does other things. */
const snippetTimeoutMs = 40_000

interface Snippet {
  readonly name: string
  readonly code: string
  /** A request to send twice: the second answer must be a replay. */
  readonly request: string | undefined
}

const documents = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
)
const snippets = documents.flatMap(snippetsOf)
const redis = await servers(() => startOwnRedis())
const runnable = snippets.filter(({ code }) => redis !== undefined || !code.includes('hapax/redis'))

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const { name, code } of snippets) writeFileSync(join(folder, `${name}.ts`), code)
  const compilerOptions = {
    extends: '../../tsconfig.json',
    // A snippet is written for a reader: it may leave variables unused.
    compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
    include: ['.'],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(compilerOptions))
})

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await redis?.stop()
})

describe('snippets', () => {
  test('are found', () => {
    expect(snippets.map(({ name }) => name)).toContain('README-1')
  })

  test('compile', async () => {
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    const { stdout } = await run(process.execPath, [compiler, '-p', folder]).catch(
      (error: { stdout: string }) => error,
    )
    expect(stdout).toBe('')
  }, 60_000)

  test.concurrent.each(runnable)(
    '$name runs',
    async ({ name, request }) => {
      const world = fileURLToPath(new URL('snippet-world.ts', import.meta.url))
      const { stdout } = await run(process.execPath, ['--import', world, join(folder, `${name}.ts`)], {
        cwd: folder,
        env: { ...process.env, SNIPPET_REQUEST: request ?? '', SNIPPET_REDIS_PORT: String(redis?.port) },
        timeout: snippetTimeoutMs,
      })
      if (request !== undefined) expect(stdout).toContain(`${request}: replayed`)
    },
    snippetTimeoutMs + 5_000,
  )
})

function snippetsOf(document: string): Snippet[] {
  const text = readFileSync(join(root, document), 'utf8')
  const blocks = [...text.matchAll(/^```ts(?<meta>[^\n]*)\n(?<code>.*?)^```$/gms)]
  return blocks.map(({ groups }, index) => ({
    name: `${basename(document, '.md')}-${index + 1}`,
    code: groups?.['code'] ?? '',
    request: /request="(?<request>[^"]+)"/.exec(groups?.['meta'] ?? '')?.groups?.['request'],
  }))
}
