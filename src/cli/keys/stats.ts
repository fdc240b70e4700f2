import type { Inspection } from '../../core/store.ts'
import { search, type StateName, stateNames } from './search.ts'
import { summaryOf } from './summary.ts'
import { spanOf, stateWord } from './words.ts'

interface Count {
  count: number
  oldestMs: number | undefined
}

export async function printStats(
  inspect: Inspection,
  { json = false }: { readonly json?: boolean },
): Promise<void> {
  const counts = new Map<StateName, Count>(
    stateNames.map((state) => [state, { count: 0, oldestMs: undefined }]),
  )
  let total = 0
  for await (const found of search(inspect)) {
    const { state, ageMs } = summaryOf(found, Date.now())
    const counted = counts.get(state)
    if (counted !== undefined) {
      counted.count += 1
      if (ageMs !== undefined) counted.oldestMs = Math.max(counted.oldestMs ?? 0, ageMs)
    }
    total += 1
    if (total % 10_000 === 0 && process.stderr.isTTY) process.stderr.write(`\r${total} keys …`)
  }
  if (json) return console.log(JSON.stringify({ total, states: Object.fromEntries(counts) }, undefined, 2))
  for (const [state, { count, oldestMs }] of counts) {
    const oldest = oldestMs === undefined ? '' : `  oldest ${spanOf(oldestMs)}`
    console.log(`${stateWord(state, 11)}${String(count).padStart(9)}${oldest}`)
  }
  console.log(`${'total'.padEnd(11)}${String(total).padStart(9)}`)
}
