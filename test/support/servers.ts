import { describe } from 'vitest'
import { ServiceMissing } from '../../scripts/services/index.ts'

/**
 * Starts servers for a file of tests. On a machine that has none, and may not install any, the file's tests
 * are skipped, and its name says why; under `CI` that is a failure.
 */
export async function servers<T>(start: () => Promise<T>): Promise<T | undefined> {
  try {
    return await start()
  } catch (error) {
    if (!(error instanceof ServiceMissing) || process.env['CI']) throw error
    describe.skip(`NOT TESTED: ${error.message}`, () => {})
    return undefined
  }
}
