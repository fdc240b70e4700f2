import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// These judge an API by when its answers come: they run alone, one file at a time.
const byTheClock = [
  'test/checker/**/*.test.ts',
  'test/cli/{demo,storm}.test.ts',
  'test/browser/**/*.test.ts',
  'test/chaos/**/*.test.ts',
]
// These start and stop many processes, and wait for leases: beside each other, and beside nothing else.
const processes = ['test/crash/**/*.test.ts']
// `npm run test:long` runs the longer forms instead: outages and failovers of real servers.
const long = process.env['HAPAX_LONG'] === '1'

// Tests start some hundred processes of these sources, and each would strip and compile them anew. Coverage counts
// what is compiled, so it goes without.
if (!process.argv.some((argument) => argument.startsWith('--coverage'))) {
  process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, '.cache/compile')
}

const common = { testTimeout: 20_000, hookTimeout: 30_000 }

export default defineConfig({
  test: {
    reporters: ['default', './scripts/closing-line.ts'],
    coverage: { include: ['src/**'], exclude: ['src/cli/**'] },
    projects: long
      ? [
          {
            test: {
              ...common,
              name: 'long',
              include: ['test/**/*.long.ts'],
              testTimeout: 60_000,
              maxWorkers: 1,
            },
          },
        ]
      : [
          {
            test: {
              ...common,
              name: 'quick',
              include: ['test/**/*.test.ts'],
              // test/journal/prisma has packages of its own, with tests of theirs.
              exclude: ['**/node_modules/**', ...byTheClock, ...processes],
              // Two cores are what CI has.
              maxWorkers: 2,
              sequence: { groupOrder: 0 },
            },
          },
          {
            test: {
              ...common,
              name: 'processes',
              include: processes,
              maxWorkers: 2,
              sequence: { groupOrder: 1 },
            },
          },
          {
            test: {
              ...common,
              name: 'by the clock',
              include: byTheClock,
              maxWorkers: 1,
              sequence: { groupOrder: 2 },
            },
          },
        ],
  },
})
