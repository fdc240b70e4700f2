import { randomUUID } from 'node:crypto'
import { load, smallOrder } from '../load.ts'
import { median } from '../median.ts'
import type { Settings } from '../options.ts'
import { progress } from '../progress.ts'
import { roundsOf } from '../rounds.ts'
import type { Served } from '../served.ts'
import { rounded, type Table } from '../table.ts'
import { warmUpRequests } from '../warm-up.ts'
import { Crowd, type CrowdAnswer } from './crowd.ts'
import { withSubjects } from './places.ts'

/** `pauseMs`, of the handler: long enough that every duplicate finds the first request running. */
const crowds = [
  { size: 1, pauseMs: 50, times: 5 },
  { size: 10, pauseMs: 50, times: 5 },
  { size: 100, pauseMs: 200, times: 1 },
  { size: 1_000, pauseMs: 200, times: 1 },
]

const modes = [
  { said: 'no hapax: all run', subject: { store: 'none' } },
  { said: "concurrent: 'reject'", subject: { store: 'redis', waits: false } },
  { said: 'concurrent: { wait }', subject: { store: 'redis', waits: true } },
] as const

interface CrowdCell {
  readonly name: string
  readonly size: number
  readonly pauseMs: number
  /** How often in a round: CPU time of few requests is little to measure. */
  readonly times: number
  readonly mode: (typeof modes)[number]
}

interface CrowdSample {
  readonly cpuMicros: number
  /** From the end of the handler's pause. */
  readonly allAnsweredMs: number
  readonly refused: number
}

/** Many requests with one key at once. */
export async function duplicateTables(settings: Settings): Promise<Table[]> {
  const rounds = settings.rounds ?? 11
  const samples = await withSubjects(async (start) => {
    const servers = new Map<string, Served>()
    for (const { said, subject } of modes) {
      const server = await start(subject)
      progress(`warm-up: ${said}`)
      const requests = warmUpRequests({ requests: settings.requests ?? 1_000, warmUp: settings.warmUp })
      await load({ url: server.url, traffic: 'first', length: { requests }, connections: 64 })
      servers.set(said, server)
    }
    const measure = async (cell: CrowdCell): Promise<CrowdSample> => {
      const server = servers.get(cell.mode.said)
      if (server === undefined) throw new Error(`No server for ${cell.mode.said}`)
      return measureCrowd(server, cell)
    }
    // Conflicts and waiting are other code than what the load has warmed.
    await roundsOf(2, cells, measure)
    return roundsOf(rounds, cells, measure)
  })
  return [tableOf(samples, rounds)]
}

const cells: readonly CrowdCell[] = crowds.flatMap((crowd) =>
  modes.map((mode) => ({ ...crowd, mode, name: `${crowd.size} at once, ${mode.said}` })),
)

async function measureCrowd(server: Served, { size, pauseMs, times, mode }: CrowdCell): Promise<CrowdSample> {
  const crowd = await Crowd.gather(size, server.url)
  try {
    const before = server.cpuMicros()
    const startedMs = performance.now()
    let refused = 0
    for (let time = 0; time < times; time += 1) {
      const headers = {
        'content-type': 'application/json',
        'idempotency-key': randomUUID(),
        'pause-ms': `${pauseMs}`,
      }
      refused += refusedOf(await crowd.send(headers, smallOrder), mode.said !== modes[0].said)
    }
    return {
      cpuMicros: (server.cpuMicros() - before) / size / times,
      allAnsweredMs: (performance.now() - startedMs) / times - pauseMs,
      refused: refused / times,
    }
  } finally {
    crowd.leave()
  }
}

/** How many got 409. Throws where an answer is wrong, or the handler ran twice behind hapax. */
function refusedOf(answers: readonly CrowdAnswer[], guarded: boolean): number {
  const created = answers.filter(({ status }) => status === 201)
  const refused = answers.filter(({ status }) => status === 409).length
  if (created.length + refused < answers.length) throw new Error('An answer was neither 201 nor 409.')
  const runs = new Set(created.map(({ body }) => body)).size
  if (guarded && runs !== 1) throw new Error(`${answers.length} requests with one key ran ${runs} times.`)
  return refused
}

function tableOf(samples: ReadonlyMap<CrowdCell, readonly CrowdSample[]>, rounds: number): Table {
  const entries = [...samples]
  const bareOf = (size: number) =>
    entries.find(([cell]) => cell.size === size && cell.mode === modes[0])?.[1] ?? []
  const middle = (own: readonly CrowdSample[], pick: (sample: CrowdSample) => number) => median(own.map(pick))
  const cpuOf = (own: readonly CrowdSample[]) => Math.round(middle(own, ({ cpuMicros }) => cpuMicros))
  return {
    name: 'duplicates',
    follows: 'answer bodies',
    heading: 'How cost grows: duplicates of one key',
    intro:
      'So many requests with one key at once, each on its own connection, on Redis. Without hapax the handler runs for each, with hapax\n' +
      'once; it waits 50 ms (1 and 10 requests) or 200 ms (100 and 1,000). **All answered** is how long after that the last has its answer.',
    setting: `${rounds} rounds; medians`,
    columns: [
      'requests at once',
      'what duplicates get',
      'CPU µs a request',
      'CPU ÷ bare',
      'all answered, ms after',
      '409s',
    ],
    rows: entries.map(([{ size, mode }, own]) => {
      const bare = bareOf(size)
      const ratios = own.map(({ cpuMicros }, round) => cpuMicros / (bare[round]?.cpuMicros ?? cpuMicros))
      return [
        size,
        mode.said,
        cpuOf(own),
        Number(median(ratios).toFixed(2)),
        rounded(middle(own, ({ allAnsweredMs }) => allAnsweredMs)),
        middle(own, ({ refused }) => refused),
      ]
    }),
    chart: {
      title: 'CPU µs a request: requests with one key at once',
      bars: entries.map(([{ size, mode, name }, own]) => ({
        label: name,
        value: cpuOf(own),
        floor: mode === modes[0] ? undefined : cpuOf(bareOf(size)),
      })),
    },
  }
}
