import { expect, it } from 'vitest'
import { orderOf } from '../../bench/cost/orders.ts'
import { percentile } from '../../bench/median.ts'
import { placed } from '../../bench/page.ts'
import type { Table } from '../../bench/table.ts'

const anchor = '<!-- bench: new tables stand above this line -->'
const table: Table = {
  name: 'stores, 1 connection',
  heading: 'Stores, 1 connection',
  intro: 'What to know.',
  follows: 'stores',
  setting: '2 rounds',
  columns: ['variant', 'CPU ÷ floor'],
  rows: [['Redis $&', 1.5]],
}
const section = `## Stores, 1 connection

What to know.

<!-- bench stores, 1 connection: begin -->

today

| variant | CPU ÷ floor |
| --- | --: |
| Redis $& | 1.50 |

<!-- bench stores, 1 connection: end -->`

it('puts a new table behind the section that it follows', () => {
  const stores = '<!-- bench stores: begin -->\nold\n<!-- bench stores: end -->'
  const page = placed(`# Title\n\n${stores}\n\n## Next\n\n${anchor}\n`, table, 'today')
  expect(page).toBe(`# Title\n\n${stores}\n\n${section}\n\n## Next\n\n${anchor}\n`)
})

it('puts a new table above the line for new tables when there is no section to follow', () => {
  expect(placed(`# Title\n\n${anchor}\n`, table, 'today')).toBe(`# Title\n\n${section}\n\n${anchor}\n`)
})

it('replaces an earlier table of that name, and nothing around it', () => {
  const page = placed(`# Title\n\n${anchor}\n`, table, 'yesterday')
  expect(placed(page, table, 'today')).toBe(`# Title\n\n${section}\n\n${anchor}\n`)
})

it('refuses a page that has no place for a table', () => {
  expect(() => placed('# Title\n', table, 'today')).toThrow('put it where new tables belong')
  expect(() => placed('<!-- bench stores, 1 connection: begin -->', table, 'today')).toThrow('put it there')
})

it('makes orders of exactly so many bytes', () => {
  for (const bytes of [60, 100, 1_024, 1_048_576]) {
    expect(orderOf(bytes)).toHaveLength(bytes)
    expect(JSON.parse(orderOf(bytes))).toHaveProperty('lines')
  }
})

it('takes the percentile that so many are not above', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect([percentile(hundred, 0.5), percentile(hundred, 0.99), percentile([7], 0.99)]).toEqual([50, 99, 7])
})
