import { broke, brief, statusOf, succeeded, tally } from '../answers.ts'
import type { Case } from '../model.ts'
import { withoutHeaders } from '../requests.ts'
import type { Trial } from '../trial.ts'
import { Http2Connection } from '../wire/http2.ts'
import type { Exchange } from '../wire/message.ts'
import { pause } from './judging.ts'

/** Races of many, and races against the clock. */
export const crowdCases: readonly Case[] = [
  {
    id: 'CON-06',
    level: 'SHOULD',
    safety: true,
    needs: [],
    heavy: true,
    title: 'A crowd of identical requests',
    why: 'A retry storm is when idempotency is needed most; it must neither run twice nor fall over.',
    source: 'draft-07 2.6',
    seconds: 6,
    run: async (trial) => {
      for (const count of trial.lab.crowd > 50 ? [50, trial.lab.crowd] : [50]) await crowd(trial, count)
      const after = await trial.send(trial.request())
      if (!succeeded(after))
        trial.fault(`afterwards an unrelated request: ${brief(after)}`, 'a success', [after])
    },
  },
  {
    id: 'CON-07',
    level: 'SHOULD',
    safety: true,
    needs: ['http2'],
    title: 'Twenty duplicates as streams of one HTTP/2 connection',
    why: 'Streams of one connection arrive together in one packet: there is no closer race.',
    source: 'draft-07 2.6',
    seconds: 2,
    run: overHttp2,
  },
  {
    id: 'CON-08',
    level: 'SHOULD',
    safety: false,
    needs: [],
    title: 'Different keys at once do not disturb each other',
    why: 'A lock that is wider than the key turns away customers who did nothing twice.',
    source: 'draft-07 2.6',
    seconds: 2,
    run: async (trial) => {
      const count = Math.max(2, Math.min(50, Math.floor(trial.lab.budget.left / 4)))
      const { exchanges } = await trial.race(Array.from({ length: count }, () => trial.request()))
      const turnedAway = exchanges.filter((exchange) => !succeeded(exchange))
      if (turnedAway.length > 0) {
        trial.fault(
          `${count} different keys: ${tally(exchanges)}`,
          `${count} successes`,
          turnedAway.slice(0, 3),
        )
      }
      await trial.expectEffects(
        exchanges.length - turnedAway.length,
        `${count} different keys`,
        exchanges.slice(0, 2),
      )
      trial.note(`${count} keys`)
    },
  },
  {
    id: 'CON-09',
    level: 'BEYOND',
    safety: true,
    needs: ['slow', 'long'],
    title: 'An operation that outlives the usual lock',
    why: 'A lock that expires under a slow handler lets the retry run beside it: two charges.',
    source: 'safety',
    seconds: 70,
    run: async (trial) => {
      const lengths = trial.target.options.longMs ?? [12_000, 35_000, 65_000]
      await Promise.all(lengths.map(async (lengthMs) => outlive(await trial.part(), lengthMs)))
      trial.note(`operations of ${lengths.map((ms) => `${ms / 1000} s`).join(', ')}`)
    },
  },
  {
    id: 'CON-10',
    level: 'SHOULD',
    safety: true,
    needs: ['slow'],
    title: 'Duplicates in the moment of completion',
    why: 'Between "no longer running" and "stored" there must be no gap: a retry that falls in runs again.',
    source: 'draft-07 2.6',
    seconds: 3,
    // Milliseconds count: other rows would move the completion out from under the sweep.
    alone: true,
    run: aroundCompletion,
  },
]

async function crowd(trial: Trial, count: number): Promise<void> {
  const part = await trial.part()
  const request = part.slow()
  const { exchanges } = await part.race(Array.from({ length: count }, () => request))
  part.showRace(exchanges)
  const winner = exchanges.find((exchange) => succeeded(exchange))
  const effects = await part.effectsReaching(1)
  if (effects !== 1)
    trial.fault(
      `${effects} effects from ${count} identical requests: ${tally(exchanges)}`,
      'one effect',
      exchanges,
    )
  const odd = exchanges.filter((exchange) => !isCrowdAnswer(part, winner, exchange))
  if (odd.length > 0) {
    trial.fault(
      `${count} identical requests: ${tally(exchanges)}`,
      'the first answer, 409, or a limiter’s 429 or 503',
      odd.slice(0, 3),
    )
  }
}

function isCrowdAnswer(part: Trial, winner: Exchange | undefined, exchange: Exchange): boolean {
  const status = statusOf(exchange)
  if (status === 409 || status === 429 || status === 503) return true
  if (broke(exchange) || status === 0) return false
  return winner !== undefined && part.sameOutcome(winner, exchange)
}

async function overHttp2(trial: Trial): Promise<void> {
  const base = trial.facts.http2
  if (base === undefined) return
  const connection = await Http2Connection.open(base, trial.lab.transport)
  if (typeof connection === 'string') trial.inconclusive(connection)
  try {
    const request = withoutHeaders(trial.slow(), ['connection'])
    const requests = Array.from({ length: 20 }, () => request)
    for (const one of requests) trial.announce(one)
    const race = await connection.race(requests)
    for (const exchange of race.exchanges) trial.record(exchange)
    trial.showRace(race.exchanges)
    if (!race.overlapped) trial.inconclusive('the streams could not be proven to overlap')
    if (!race.exchanges.some((exchange) => succeeded(exchange)))
      trial.inconclusive(`no success: ${tally(race.exchanges)}`)
    await trial.expectEffects(1, `20 streams: ${tally(race.exchanges)}`, race.exchanges)
  } finally {
    connection.close()
  }
}

async function outlive(part: Trial, lengthMs: number): Promise<void> {
  const request = part.request({ slowMs: lengthMs })
  const begun = Date.now()
  const over = new AbortController()
  const running = part.send(request).finally(() => over.abort())
  const everyMs = Math.min(5000, lengthMs / 6)
  const duplicates: Exchange[] = []
  const pending: Promise<void>[] = []
  while (!over.signal.aborted && Date.now() - begun < lengthMs + 10_000) {
    await Promise.race([pause(everyMs), running])
    // A duplicate may be made to wait: it must not hold up the next one.
    pending.push(part.send(request).then((exchange) => void duplicates.push(exchange)))
  }
  const first = await running
  await Promise.all(pending)
  part.showRace([first, ...duplicates])
  part.need(first, `an operation of ${lengthMs / 1000} s`)
  const wrong = duplicates.filter((one) => statusOf(one) !== 409 && !part.sameOutcome(first, one))
  const [odd] = wrong
  if (odd !== undefined) {
    part.fault(`a duplicate of a ${lengthMs / 1000} s operation: ${brief(odd)}`, '409, or the first answer', [
      first,
      ...wrong,
    ])
  }
  await part.expectEffects(1, `an operation of ${lengthMs / 1000} s and its duplicates`, [
    first,
    ...duplicates,
  ])
  part.expectReplay(first, await part.send(request), 'the repeat afterwards')
}

async function aroundCompletion(trial: Trial): Promise<void> {
  const slowMs = Math.min(500, trial.target.slowMs)
  const single = await trial.send(trial.request({ slowMs }))
  trial.need(single, 'the slow operation')
  let lengthMs = single.endedAt - single.sentAt
  for (let attempt = 1; attempt <= 6; attempt += 1) {
    const widthMs = 25 * 2 ** attempt
    const { first, others } = await sweep(await trial.part(), slowMs, lengthMs, widthMs)
    if (trial.findings.length > 0 || straddles(first, others, widthMs)) return
    lengthMs = first.endedAt - first.sentAt
  }
  trial.inconclusive('no duplicate was sent close enough to the completion, in six tries')
}

type Sweep = { readonly first: Exchange; readonly others: readonly Exchange[] }

/** One request, and a hundred duplicates whose last bytes go around its expected end: 50 ms, wider where that missed. */
async function sweep(part: Trial, slowMs: number, lengthMs: number, widthMs: number): Promise<Sweep> {
  const request = part.request({ slowMs })
  const count = 100
  const offsetsMs = [
    0,
    ...Array.from({ length: count }, (_, index) =>
      Math.max(1, lengthMs - widthMs / 2 + (index * widthMs) / count),
    ),
  ]
  const { exchanges } = await part.race(
    offsetsMs.map(() => request),
    { offsetsMs },
  )
  const [first, ...others] = exchanges
  if (first === undefined) throw new Error('the sweep has a first request')
  const odd = others.filter((one) => statusOf(one) !== 409 && !part.sameOutcome(first, one))
  part.showRace(exchanges.filter((one, index) => index % 8 === 0 || odd.slice(0, 3).includes(one)))
  part.need(first, 'the first of the sweep')
  if (odd.length > 0) {
    const got = `around the completion: ${tally(odd)} of another kind`
    part.fault(got, 'the first answer or 409', [first, ...odd.slice(0, 3)])
  }
  await part.expectEffects(1, `${count} duplicates around the completion`, [first, ...odd.slice(0, 3)])
  return { first, others }
}

/** The proof that the sweep met the completion: duplicates sent just before it and just after. */
function straddles(first: Exchange, others: readonly Exchange[], widthMs: number): boolean {
  const distancesMs = others.map((one) => one.sentAt - first.endedAt)
  return (
    distancesMs.some((ms) => ms <= 0 && ms > -widthMs) && distancesMs.some((ms) => ms >= 0 && ms < widthMs)
  )
}
