import { expect, test } from 'vitest'
import { soundGuard } from '../../src/checker/reference/layer.ts'
import { startReference } from '../../src/checker/reference/server.ts'
import { runCheck } from '../../src/checker/run.ts'
import { checkSelf } from '../../src/checker/self.ts'
import { quick } from './rogue-run.ts'
import { allCases } from '../../src/checker/cases/index.ts'

const settled = new Set(['pass', 'report'])

test('there are a hundred rows, each with a name of its own', () => {
  expect(new Set(allCases.map((one) => one.id)).size).toBe(100)
})

test.concurrent('the correct server passes every row that applies', { timeout: 120_000 }, async ({
  expect: expectHere,
}) => {
  const script = new URL('./command-process.ts', import.meta.url).pathname
  const report = await checkSelf([process.execPath, script], {
    jobs: 16,
    slowMs: 400,
    rounds: 8,
    // Waiting by nature; the next test has the slow uploads, and `hapax check --self` has all of them.
    skip: ['LRG-02', 'FID-02'],
  })
  const odd = report.results.filter(({ verdict }) => !settled.has(verdict) && verdict !== 'skipped')
  expectHere(odd.map((result) => `${result.case.id} ${result.verdict}: ${result.summary}`)).toEqual([])
  const skipped = report.results
    .filter(({ verdict }) => verdict === 'skipped')
    .map((result) => result.case.id)
  // A required key rules out MIS-03 (the next test has it); FLT-12 is about gateways.
  expectHere(skipped).toEqual(['MIS-03', 'FLT-12'])
})

test.concurrent('so does one where the key is optional, seen by its witness alone', {
  timeout: 60_000,
}, async ({ expect: expectHere }) => {
  const server = await startReference({ guard: soundGuard({ required: false }) })
  try {
    const report = await runCheck({
      url: server.url,
      data: '{"marker":"{{marker}}","amount":1}',
      slow: '?delayMs={{ms}}',
      slowMs: quick.slowMs,
      rounds: 5,
      profile: 'safety',
      skip: ['LRG-01'],
      maxEffects: 1000,
    })
    const core = await runCheck({
      url: server.url,
      data: '{"n":1,"text":"abc"}',
      only: ['MIS', 'SYN', 'MM', 'FID-01'],
    })
    for (const { results } of [report, core]) {
      const odd = results.filter(({ verdict }) => !settled.has(verdict) && verdict !== 'skipped')
      expectHere(odd.map((result) => `${result.case.id} ${result.verdict}: ${result.summary}`)).toEqual([])
    }
    expectHere(core.results.find((result) => result.case.id === 'MIS-03')?.verdict).toBe('pass')
  } finally {
    await server.close()
  }
})
