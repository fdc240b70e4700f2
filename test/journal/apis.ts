import { describe, test } from 'vitest'
import type { TestApi } from '../../src/testing/store.ts'

// Each case has a place of its own.
export const wholeContract: TestApi = { describe, test: test.concurrent }

/** What is said to the database is the same with each driver; these groups depend on how one runs a transaction. */
const groupsForOtherDrivers = new Set(['transact', 'within', 'close'])

export const contractForOtherDrivers: TestApi = {
  test: test.concurrent,
  describe: (name, body) => {
    if (name.startsWith('journal contract') || groupsForOtherDrivers.has(name)) describe(name, body)
  },
}
