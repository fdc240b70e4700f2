import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { allCases } from '../../src/checker/cases/index.ts'
import { belongs } from '../../src/checker/profiles.ts'

const page = readFileSync(new URL('../../docs/conformance.md', import.meta.url), 'utf8')
// What follows is about hapax: hapax.test.ts holds it to a run.
const [list = ''] = page.split('## Where hapax departs')
const guide = readFileSync(new URL('../../docs/checker.md', import.meta.url), 'utf8')

test('docs/conformance.md has every row as the code has it', () => {
  const rows = allCases.map((one) => {
    const profiles = [
      ...(belongs(one, 'core') ? ['core'] : []),
      ...(belongs(one, 'safety') ? ['safety'] : []),
    ]
    const level = one.level === 'METHOD' ? '–' : one.level
    const cells = [
      one.safety ? `${one.id} ★` : one.id,
      level,
      profiles.join(', ') || 'full',
      one.title,
      one.why,
      one.needs.join(', ') || '–',
      one.source,
    ]
    return `| ${cells.join(' | ')} |`
  })
  expect(list.split('\n').filter((line) => /^\| [A-Z]+-\d\d/.test(line))).toEqual(rows)
})

test('docs/checker.md names rows that exist', () => {
  const known = new Set(allCases.map((one) => one.id))
  const named = guide.match(/\b[A-Z]{2,3}-\d\d\b/g) ?? []
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((id) => !known.has(id))).toEqual([])
})
