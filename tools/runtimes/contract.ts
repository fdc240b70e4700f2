// The adapter contract of hapax/fetch in the runtime that runs this file: `bun contract.ts`, `deno run -A contract.ts`.
// Prints what failed, and "N passed, N failed" on its last line.
import { testAdapter } from '../../src/testing/adapter.ts'
import { fetchOn } from '../../test/support/adapters/fetch-handler.ts'
import { lacks, serve } from './serve.ts'

/** Enough to fill two cores; more would make cases wait that measure time. */
const atOnce = 8

const tests: Array<{ readonly name: string; run(): unknown }> = []
let path: readonly string[] = []

testAdapter(
  {
    describe(name, body) {
      const outer = path
      path = [...outer, name]
      body()
      path = outer
    },
    test: (name, run) => void tests.push({ name: [...path, name].join(' > '), run }),
  },
  fetchOn('fetch', serve, lacks),
)

const failures: string[] = []
const queue = tests.values()
await Promise.all(
  Array.from({ length: atOnce }, async () => {
    for (const { name, run } of queue) {
      try {
        await run()
      } catch (error) {
        failures.push(`${name}\n  ${error instanceof Error ? error.stack : String(error)}`)
      }
    }
  }),
)
for (const failure of failures) console.log(`FAILED ${failure}`)
console.log(`${tests.length - failures.length} passed, ${failures.length} failed`)
process.exit(failures.length === 0 ? 0 : 1)
