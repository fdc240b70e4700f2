// What docs/adapters.md says, held to the code. The contract itself runs in test/adapters.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { adapterTable, allPassing } from '../../scripts/adapters/table.ts'

test('docs/adapters.md says how large the contract and each adapter are', () => {
  const table = adapterTable(allPassing())
  process.stdout.write(`\n${table}\n`)
  const page = readFileSync(new URL('../../docs/adapters.md', import.meta.url), 'utf8')
  expect(page.slice(page.indexOf('| adapter |')), 'Run `npm run adapters`.').toBe(table)
})
