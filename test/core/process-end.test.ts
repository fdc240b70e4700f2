import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const program = fileURLToPath(new URL('../support/process-end.ts', import.meta.url))

test.concurrent.each([
  ['an engine that was never used does not keep the process alive', 'unused', ['end']],
  ['one that was used and closed does not', 'closed', ['end']],
  ['one that was used and not closed does not', 'left', ['end']],
  ['nor does a handler that hangs: its heartbeat is no reason to live', 'running', ['end']],
  [
    'close() keeps it alive until the outcome is recorded',
    'closing',
    [
      'claimed',
      'store-error',
      'record-deferred',
      'store-error',
      'store-error',
      'record-recovered',
      'closed',
      'end',
    ],
  ],
  [
    'a run() that waits for a winner keeps it alive until it has its answer',
    'waiting',
    ['in-progress', 'end'],
  ],
])('%s', { timeout: 60_000 }, async (_, name, output) => {
  // Rejects for an exit code such as 13 (a promise was left unsettled), and when the process has to be killed.
  const { stdout } = await promisify(execFile)(process.execPath, [program, name], { timeout: 50_000 })
  expect(stdout.trim().split('\n')).toEqual(output)
})
