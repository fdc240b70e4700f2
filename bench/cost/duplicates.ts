import { randomUUID } from 'node:crypto'
import { load, smallOrder } from '../load.ts'
import { median } from '../median.ts'
import type { Settings } from '../options.ts'
import { progress } from '../progress.ts'
import { roundsOf } from '../rounds.ts'
import type { Served } from '../served.ts'
import { rounded, type Table } from '../table.ts'
import { warmUpRequests } from '../warm-up.ts'
import { Crowd } from './crowd.ts'
import { withSubjects } from './places.ts'

const crowds = [1, 10, 100, 1_000]
/** Long enough that every duplicate finds the first request running. */
const pauseMs = 200

const modes = [
  { said: 'no hapax: all run', subject: { store: 'none' } },
  { said: "concurrent: 'reject'", subject: { store: 'redis', waits: false } },
  { said: 'concurrent: { wait }', subject: { store: 'redis', waits: true } },
] as const

interface CrowdCell {
  readonly name: string
  readonly size: number
  readonly mode: (typeof modes)[number]
}

interface CrowdSample {
  readonly cpuMicros: number
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
    const measure = async ({ size, mode }: CrowdCell): Promise<CrowdSample> => {
      const server = servers.get(mode.said)
      if (server === undefined) throw new Error(`No server for ${mode.said}`)
      return measureCrowd(server, size, mode.subject.store !== 'none')
    }
    // Conflicts and waiting are other code than what the load has warmed.
    await roundsOf(2, cells, measure)
    return roundsOf(rounds, cells, measure)
  })
  return [tableOf(samples, rounds)]
}

const cells: readonly CrowdCell[] = crowds.flatMap((size) =>
  modes.map((mode) => ({ name: `${size} at once, ${mode.said}`, size, mode })),
)

async function measureCrowd(server: Served, size: number, guarded: boolean): Promise<CrowdSample> {
  const crowd = await Crowd.gather(size, server.url)
  try {
    const before = server.cpuMicros()
    const startedMs = performance.now()
    const answers = await crowd.send(
      { 'content-type': 'application/json', 'idempotency-key': randomUUID(), 'pause-ms': `${pauseMs}` },
      smallOrder,
    )
    const allAnsweredMs = performance.now() - startedMs
    const cpuMicros = (server.cpuMicros() - before) / size
    const created = answers.filter(({ status }) => status === 201)
    const refused = answers.filter(({ status }) => status === 409).length
    if (created.length + refused < size) throw new Error('An answer was neither 201 nor 409.')
    const runs = new Set(created.map(({ body }) => body)).size
    if (guarded && runs !== 1) throw new Error(`${size} requests with one key ran ${runs} times.`)
    return { cpuMicros, allAnsweredMs, refused }
  } finally {
    crowd.leave()
  }
}

function tableOf(samples: ReadonlyMap<CrowdCell, readonly CrowdSample[]>, rounds: number): Table {
  const entries = [...samples]
  const bareOf = (size: number) =>
    entries.find(([cell]) => cell.size === size && cell.mode === modes[0])?.[1] ?? []
  const middle = (own: readonly CrowdSample[], pick: (sample: CrowdSample) => number) => median(own.map(pick))
  const cpuOf = (own: readonly CrowdSample[]) => Math.round(middle(own, ({ cpuMicros }) => cpuMicros))
  return {
    name: 'duplicates',
    heading: 'How cost grows: duplicates of one key',
    intro:
      'So many requests with one key at once, each on its own connection, on Redis. The handler takes ' +
      `${pauseMs} ms; without hapax it runs\nfor each of them, with hapax once. **All answered** is the time until the last has its answer.`,
    setting: `${rounds} rounds; medians`,
    columns: [
      'requests at once',
      'what duplicates get',
      'CPU µs a request',
      'CPU ÷ bare',
      'all answered, ms',
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
