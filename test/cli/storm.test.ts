import { expect, test } from 'vitest'
import type { Ending } from '../../src/cli/demo/storm/customer.ts'
import { planPurchases } from '../../src/cli/demo/storm/plan.ts'
import type { StormResult } from '../../src/cli/demo/storm/result.ts'
import { isGood, judge } from '../../src/cli/demo/storm/verdict.ts'
import { runCli } from './run-cli.ts'

// On a machine that does other things, most of the time goes into starting three processes.
const stormTimeoutMs = 60_000

test(
  'a storm with a server killed on the way charges nobody twice, and exits with 0',
  async () => {
    const { exitCode, stdout } = await runCli('demo', '--storm', '--intents', '60', '--seed', '7', '--json')
    const result: StormResult = JSON.parse(stdout)
    expect(result).toMatchObject({
      passed: true,
      intents: 60,
      seed: 7,
      killed: 1,
      protected: { chargedTwice: 0, answeredNotCharged: 0, noAnswer: 0 },
    })
    expect(exitCode).toBe(0)
    const { outcomeUnknown, charges, duplicates, replays } = result.protected
    expect(charges).toBe(60 - outcomeUnknown.notCharged)
    // Without these the storm would prove nothing.
    expect(duplicates).toBeGreaterThan(30)
    expect(replays).toBeGreaterThan(10)
    expect(result.unprotected.chargedTwice).toBeGreaterThan(10)
  },
  stormTimeoutMs,
)

test(
  'a storm without protection fails, says why, and exits with 1',
  async () => {
    const { exitCode, stdout } = await runCli(
      'demo',
      '--storm',
      '--intents',
      '25',
      '--seed',
      '7',
      '--no-protection',
    )
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/FAILED\n {2}\d+ charged twice or more: intent-\d{4}, /)
  },
  stormTimeoutMs,
)

test('the same seed plans the same purchases, with keys of their own in each run', () => {
  const plan = (seed: number, run: string) => planPurchases({ seed, intents: 50, run })
  const withoutKeys = (seed: number, run: string) =>
    plan(seed, run).map((purchase) => ({ ...purchase, key: '' }))
  expect(withoutKeys(5, 'a')).toEqual(withoutKeys(5, 'b'))
  expect(withoutKeys(5, 'a')).not.toEqual(withoutKeys(6, 'a'))
  const keys = [...plan(5, 'a'), ...plan(5, 'b')].map(({ key }) => key)
  expect(new Set(keys).size).toBe(100)
})

const bought = (order: string): Ending => ({ kind: 'order', order })
const unknown: Ending = { kind: 'outcome-unknown' }

test.each<[string, Ending[], string[], boolean]>([
  ['charged and answered', [bought('a'), bought('a')], ['a'], true],
  ['unknown, charged', [unknown], ['a'], true],
  ['unknown, not charged', [unknown, { kind: 'no-answer' }], [], true],
  ['charged twice', [bought('a')], ['a', 'b'], false],
  ['charged twice, and told nothing', [unknown], ['a', 'b'], false],
  ['answered, not charged', [bought('a')], [], false],
  ['answered with an order that was not charged', [bought('b')], ['a'], false],
  ['refused', [{ kind: 'refused', status: 500 }], [], false],
  ['never answered', [{ kind: 'no-answer' }], ['a'], false],
])('the verdict on one intent: %s', (_, endings, orders, good) => {
  const charges = orders.map((order) => ({ order, cart: 'intent-1' }))
  expect(isGood(judge(new Map([['intent-1', endings]]), charges))).toBe(good)
})

test('charges of an intent that no customer had count against the shop', () => {
  const charges = [
    { order: 'a', cart: 'intent-9' },
    { order: 'b', cart: 'intent-9' },
  ]
  expect(isGood(judge(new Map(), charges))).toBe(false)
})
