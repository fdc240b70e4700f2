// The adapter contract of hapax/fetch in the runtime that runs this file: `bun contract.ts`, `deno run -A contract.ts`.
// Prints what failed, and "N passed, N failed" on its last line.
import { runContract } from '../../scripts/adapters/run-contract.ts'
import { fetchOn } from '../../test/support/adapters/fetch-handler.ts'
import { lacks, serve } from './serve.ts'

/** Enough to fill two cores; more would make cases wait that measure time. */
const atOnce = 8

const { passed, failed } = await runContract(fetchOn('fetch', serve, lacks), atOnce, (name, error) => {
  console.log(`FAILED ${name}\n  ${error instanceof Error ? error.stack : String(error)}`)
})
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
