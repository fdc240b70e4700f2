import { describe, expect, test } from 'vitest'
import { classOf } from '../../src/checker/model.ts'
import { checkRogue } from './rogue-run.ts'
import { rogues } from './rogues/rogues.ts'

// The checker is checked: each server here is wrong in one way, and must be caught by the row for it and by
// no row that has nothing to do with it.
describe('the rogues’ gallery', () => {
  test('has at least twenty', () => {
    expect(Object.keys(rogues).length).toBeGreaterThanOrEqual(20)
  })

  for (const [name, rogue] of Object.entries(rogues)) {
    test.concurrent(`${rogue.row}: ${rogue.fault}`, { timeout: 90_000 }, async ({ expect: expectHere }) => {
      const report = await checkRogue(name, rogue)
      const seen = report.results.filter(({ verdict }) => verdict === 'fail' || verdict === 'warn')
      const ids = seen.map((result) => result.case.id)
      const named = report.results.find((result) => result.case.id === rogue.row)
      expectHere(ids, `${named?.verdict}: ${named?.summary}`).toContain(rogue.row)
      const related = new Set([rogue.row, ...rogue.alsoSeenBy])
      const unrelated = seen
        .filter(({ case: one }) => !related.has(one.id) && !related.has(classOf(one.id)))
        .map((result) => `${result.case.id}: ${result.summary}`)
      expectHere(unrelated).toEqual([])
    })
  }
})
