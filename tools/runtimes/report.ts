import { runContract } from '../../scripts/adapters/run-contract.ts'
import type { AdapterSubject } from '../../src/testing/adapter.ts'

/** Enough to fill two cores; more would make cases wait that measure time. */
const atOnce = 8

/** Runs the contract, prints what failed, and "N passed, N failed" on its last line, and ends the process. */
export async function report(subject: AdapterSubject): Promise<never> {
  const { passed, failed } = await runContract(subject, atOnce, (name, error) => {
    console.log(`FAILED ${name}\n  ${error instanceof Error ? error.stack : String(error)}`)
  })
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed === 0 ? 0 : 1)
}
