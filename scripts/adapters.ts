// Runs the adapter contract, every adapter on every store, and writes the table of docs/adapters.md:
// `npm run adapters`. `-- --lines` runs nothing and writes it anew after a change of an adapter's lines.
import { readFileSync, writeFileSync } from 'node:fs'
import { adapterSubjects } from '../test/support/adapters/index.ts'
import { startPlaces } from './adapters/places.ts'
import { type Outcome, runContract } from './adapters/run-contract.ts'
import { adapterTable, allPassing, type StoreName, storeNames } from './adapters/table.ts'

const page = new URL('../docs/adapters.md', import.meta.url)
const marker = '<!-- results -->\n'
/** What two cores bear without cases that wait in vain. */
const atOnce = 6

if (process.argv.includes('--lines')) write(adapterTable(allPassing()))
else process.exitCode = await measure()

async function measure(): Promise<number> {
  const places = await startPlaces()
  const outcomes = new Map<string, Map<StoreName, Outcome>>()
  let failures = 0
  for (const subject of adapterSubjects) {
    const own = new Map<StoreName, Outcome>()
    outcomes.set(subject.name, own)
    for (const store of storeNames) {
      const outcome = await runContract(
        { ...subject, createStore: places.create[store] },
        atOnce,
        (name, error) => process.stderr.write(`${store}: ${name}\n${String(error)}\n`),
      )
      own.set(store, outcome)
      failures += outcome.failed
      process.stdout.write(
        `${subject.name} on ${store}: ${outcome.passed} passed, ${outcome.failed} failed\n`,
      )
    }
  }
  await places.close()
  const table = adapterTable(outcomes)
  process.stdout.write(`\n${table}`)
  // The page says what passes; a failure is to be mended, and not to be written down.
  if (failures === 0) write(table)
  return failures === 0 ? 0 : 1
}

function write(table: string): void {
  const text = readFileSync(page, 'utf8')
  writeFileSync(page, `${text.slice(0, text.indexOf(marker) + marker.length)}\n${table}`)
}
