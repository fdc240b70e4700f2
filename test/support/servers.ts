import { test } from 'vitest'
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
    // As a test that is skipped, since a group without tests is not shown.
    test.skip(`NOT TESTED: ${error.message}`, () => {})
    process.stderr.write(`NOT TESTED: ${error.message}\n`)
    return undefined
  }
}
