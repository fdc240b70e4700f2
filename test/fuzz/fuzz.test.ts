// A short run of every fuzz target, with the same inputs each time. `npm run fuzz` runs more of them.
import { afterAll, expect, test } from 'vitest'
import { fuzzOpened } from '../../fuzz/fuzzer.ts'
import { targets } from '../../fuzz/targets/index.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'
import { servers } from '../support/servers.ts'

forbidUnhandledRejections()

for (const target of targets) {
  const opened = await servers(async () => target.open())
  if (opened === undefined) continue
  afterAll(() => opened.close?.())
  const amounts = target.isServed === true ? { inputs: 40, corpusInputs: 30 } : { inputs: 1_000 }

  test(`${target.name}: ${target.what}`, async () => {
    const { inputs, failure } = await fuzzOpened(target, opened, { seed: 1, ...amounts })
    if (failure !== undefined) {
      const input = failure.input.toString('base64')
      throw new Error(`${target.name} is broken by this input (base64): ${input}`, { cause: failure.error })
    }
    expect(inputs).toBeGreaterThan(40)
  })
}
