import { expect, test } from 'vitest'
import { runCheck } from '../../src/checker/run.ts'
import { sqliteSite } from './site/site.ts'

test('operations of 12, 35 and 65 s outlive a lease of 2 s, and run once', { timeout: 120_000 }, async () => {
  const site = await sqliteSite()
  try {
    const report = await runCheck({ ...site.options, only: ['CON-09'], long: true, timeoutMs: 100_000 })
    const [row] = report.results
    expect(row?.findings).toEqual([])
    expect(row?.verdict).toBe('pass')
    expect(row?.notes).toEqual(['operations of 12 s, 35 s, 65 s'])
  } finally {
    await site.close()
  }
})
