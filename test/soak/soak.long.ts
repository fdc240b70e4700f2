// A short soak: every kind of traffic gets the answers that it must, and nothing grows. `npm run soak` takes longer.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { soak } from '../../soak/soak.ts'

const folder = mkdtempSync(join(tmpdir(), 'hapax-soak-'))

afterAll(() => rmSync(folder, { recursive: true }))

test.each([
  ['memory', 'memory'],
  ['sqlite', `sqlite:${join(folder, 'keys.db')}`],
])(
  '%s: steady traffic leaves nothing behind',
  async (store, url) => {
    const { wrong, verdicts, answers, hangUps } = await soak({
      store,
      url,
      durationMs: 45_000,
      everyMs: 1_500,
    })
    expect(wrong).toEqual([])
    expect(hangUps).toBeGreaterThan(50)
    expect(Object.keys(answers).toSorted()).toEqual([
      'first 201',
      'malformed key 400',
      'other payload 422',
      'replay 201',
      'waits 201',
    ])
    expect(verdicts.filter(({ isFlat }) => !isFlat)).toEqual([])
  },
  90_000,
)
