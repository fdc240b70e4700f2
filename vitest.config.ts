import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // `npm run test:long` runs the longer forms instead: outages and failovers of real servers.
    include: process.env['HAPAX_LONG'] === '1' ? ['test/**/*.long.ts'] : ['test/**/*.test.ts'],
    reporters: ['default', './scripts/closing-line.ts'],
    testTimeout: 20_000,
    hookTimeout: 30_000,
    // Two cores are what CI has; more workers only make timings in the crash tests less sharp.
    maxWorkers: 2,
    coverage: { include: ['src/**'], exclude: ['src/cli/**'] },
  },
})
