// The harness itself, as `npm run chaos` starts it: the short form holds, and a server without protection is caught.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { servers } from '../support/servers.ts'
import { startRedis } from '../../scripts/services/index.ts'
import type { CellResult } from '../../chaos/cell.ts'

const program = fileURLToPath(new URL('../../chaos/run.ts', import.meta.url))

interface Ended {
  readonly code: number
  readonly results: readonly CellResult[]
  readonly progress: string
}

function chaos(...args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [program, '--json', ...args],
      { maxBuffer: 2 ** 26 },
      (_error, stdout, stderr) => {
        const lines = stdout.split('\n').filter((line) => line !== '')
        resolve({
          code: child.exitCode ?? -1,
          // What the harness writes, as its own type says.
          results: lines.map((line) => JSON.parse(line) as CellResult),
          progress: stderr,
        })
      },
    )
  })
}

// Redis has to be there, or to be installed, before the run begins.
const ready = await servers(async () => (await startRedis({ own: true })).stop().then(() => true))

if (ready === true) {
  test('the short form: every promise holds on every store', { timeout: 180_000 }, async () => {
    const { code, results, progress } = await chaos('--short', '--seed', '1')
    expect(results.flatMap(({ findings }) => findings, progress)).toEqual([])
    expect(code, progress).toBe(0)
    expect(results.length).toBeGreaterThanOrEqual(10)
    for (const { store, fault, account, timeline } of results) {
      expect(account.duplicates, `${store}, ${fault}`).toBeGreaterThan(50)
      expect(timeline.marks.map(({ what }) => what)).toEqual(['broken', 'mended'])
    }
  })

  test('a server without protection is found out, and the run says how to do it again', async () => {
    const cell = '--store memory --fault none --calm 0.1 --library none --seed 5'
    const { code, results, progress } = await chaos(...cell.split(' '))
    expect(code).toBe(1)
    expect(results[0]?.account.secondEffects).toBeGreaterThan(10)
    expect(progress).toContain('effects happened again')
    expect(progress).toContain('npm run chaos -- --store memory --fault "none" --seed 5')
  })
}

test.each([
  [['--store', 'mongo'], '--store mongo is not known. Known: memory, sqlite'],
  [['--fault', 'flood'], '--fault flood is not known.'],
  [['--seed', 'x'], '--seed needs a number, not "x".'],
  [['--wrong'], "Unknown option '--wrong'"],
  [['--store', 'memory', '--fault', 'failover'], 'No cell is left'],
])('%j: one sentence, exit code 2', async (args, sentence) => {
  const { code, progress } = await chaos(...args)
  expect(code).toBe(2)
  expect(progress).toContain(sentence)
})
