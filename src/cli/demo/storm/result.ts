import type { Tally } from './tally.ts'
import type { Verdict } from './verdict.ts'

/** What `hapax demo --storm --json` prints. */
export interface StormResult {
  readonly passed: boolean
  readonly seed: number
  readonly intents: number
  readonly seconds: number
  readonly store: string
  /** Servers that got a SIGKILL on the way. */
  readonly killed: number
  readonly restarted: number
  readonly protected: ShopResult
  readonly unprotected: ShopResult
  /** The intents because of which the verdict is bad: of the protected shop only. */
  readonly offences: {
    readonly chargedTwice: readonly string[]
    readonly answeredNotCharged: readonly string[]
    readonly noAnswer: readonly string[]
  }
}

/** Counts of one shop: the first five of requests and answers, the others of intents. */
export interface ShopResult {
  readonly requests: number
  /** Requests beyond the first of each intent, the load balancer's included. */
  readonly duplicates: number
  readonly replays: number
  readonly inProgress: number
  readonly charges: number
  readonly chargedTwice: number
  readonly answeredNotCharged: number
  readonly outcomeUnknown: { readonly charged: number; readonly notCharged: number }
  readonly noAnswer: number
}

export function shopResult(intents: number, tally: Tally, verdict: Verdict): ShopResult {
  const requests = tally.sent + tally.resent
  const { charged, notCharged } = verdict.outcomeUnknown
  return {
    requests,
    duplicates: requests - intents,
    replays: tally.replays,
    inProgress: tally.inProgress,
    charges: verdict.charges,
    chargedTwice: verdict.chargedTwice.length,
    answeredNotCharged: verdict.answeredNotCharged.length,
    outcomeUnknown: { charged: charged.length, notCharged: notCharged.length },
    noAnswer: verdict.noAnswer.length,
  }
}

export function resultTable(result: StormResult): string {
  const { intents, killed, seconds, store, seed } = result
  const rows: [string, (shop: ShopResult) => number][] = [
    ['purchase intents', () => intents],
    ['requests that reached a server', (shop) => shop.requests],
    ['  of them duplicates', (shop) => shop.duplicates],
    ['  answered with a replay', (shop) => shop.replays],
    ['  answered 409 in progress', (shop) => shop.inProgress],
    ['charges in the ledger', (shop) => shop.charges],
    ['intents charged twice or more', (shop) => shop.chargedTwice],
    ['intents answered, not charged', (shop) => shop.answeredNotCharged],
    ['intents without an answer', (shop) => shop.noAnswer],
    [
      'intents told "outcome unknown"',
      (shop) => shop.outcomeUnknown.charged + shop.outcomeUnknown.notCharged,
    ],
    ['  charged once', (shop) => shop.outcomeUnknown.charged],
    ['  not charged', (shop) => shop.outcomeUnknown.notCharged],
  ]
  const lines = rows.map(([name, count]) => line(name, count(result.protected), count(result.unprotected)))
  const servers = `two servers on ${store}, ${killed === 1 ? 'one' : killed} killed and restarted`
  return [
    '',
    `${seconds.toFixed(1)} s, ${servers}. Again with the same choices: --seed ${seed}`,
    '',
    line('', 'with hapax', 'without'),
    ...lines,
    '',
    verdictText(result),
    '',
    '',
  ].join('\n')
}

function line(name: string, protectedCell: string | number, unprotectedCell: string | number): string {
  return `  ${name.padEnd(32)}${String(protectedCell).padStart(10)}${String(unprotectedCell).padStart(10)}`
}

function verdictText({ passed, offences }: StormResult): string {
  if (passed) return 'PASSED: no intent was charged twice, and every answered one was charged.'
  const reasons = [
    reason('charged twice or more', offences.chargedTwice),
    reason('answered, not charged', offences.answeredNotCharged),
    reason('without an answer', offences.noAnswer),
  ]
  return ['FAILED', ...reasons.filter((text) => text !== '')].join('\n  ')
}

function reason(what: string, intents: readonly string[]): string {
  if (intents.length === 0) return ''
  const shown = intents.slice(0, 5).join(', ')
  return `${intents.length} ${what}: ${shown}${intents.length > 5 ? ', …' : ''}`
}
