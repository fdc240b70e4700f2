import { load } from '../load.ts'
import { median } from '../median.ts'
import type { Settings } from '../options.ts'
import { progress } from '../progress.ts'
import { roundsOf } from '../rounds.ts'
import type { Served } from '../served.ts'
import { type Cell, rounded, type Table } from '../table.ts'
import { warmUpRequests } from '../warm-up.ts'
import { orderOf } from './orders.ts'
import { withSubjects } from './places.ts'

type Way = 'request' | 'answer'

/** Larger bodies need fewer requests for the same time. */
const sizes = [
  { said: '100 B', bytes: 100, requests: 1_000 },
  { said: '1 KiB', bytes: 1_024, requests: 1_000 },
  { said: '16 KiB', bytes: 16 * 1_024, requests: 400 },
  { said: '256 KiB', bytes: 256 * 1_024, requests: 80 },
  { said: '1 MiB', bytes: 1_024 * 1_024, requests: 32 },
]
type Size = (typeof sizes)[number]

const stores = ['none', 'redis', 'sqlite'] as const
const connections = 16

interface BodyCell {
  readonly name: string
  readonly way: Way
  readonly size: Size
  readonly store: (typeof stores)[number]
}

interface BodySample {
  readonly cpuMicros: number
  readonly requestsPerSecond: number
}

/** First requests with a large body, and with a large answer. */
export async function bodyTables(settings: Settings): Promise<Table[]> {
  const rounds = settings.rounds ?? 9
  const most = settings.requests ?? 1_000
  const samples = await withSubjects(async (start) => {
    const servers = new Map<string, Served>()
    for (const store of stores) servers.set(store, await start({ store }))
    const measure = async ({ way, size, store }: BodyCell, requests: number): Promise<BodySample> => {
      const server = servers.get(store)
      if (server === undefined) throw new Error(`No server for ${store}`)
      const before = server.cpuMicros()
      const { requestsPerSecond } = await load({
        url: server.url,
        traffic: 'first',
        length: { requests },
        connections,
        body: orderOf(way === 'request' ? size.bytes : 100),
        headers: { 'answer-bytes': String(way === 'answer' ? size.bytes : 100) },
      })
      return { cpuMicros: (server.cpuMicros() - before) / requests, requestsPerSecond }
    }
    for (const cell of cells) {
      progress(`warm-up: ${cell.name}`)
      const small = cell.size.bytes === 1_024
      await measure(
        cell,
        small ? warmUpRequests({ ...settings, requests: most }) / 2 : Math.min(most, cell.size.requests),
      )
    }
    return roundsOf(rounds, cells, (cell) => measure(cell, Math.min(most, cell.size.requests)))
  })
  const setting = `${rounds} rounds of ${Math.min(most, 32)} (1 MiB) to ${most} requests, ${connections} connections; medians`
  return [tableOf('request', samples, setting), tableOf('answer', samples, setting)]
}

const cells: readonly BodyCell[] = sizes.flatMap((size) =>
  (['request', 'answer'] as const).flatMap((way) =>
    stores.map((store) => ({ name: `${way} of ${size.said}, ${store}`, way, size, store })),
  ),
)

function tableOf(way: Way, samples: ReadonlyMap<BodyCell, readonly BodySample[]>, setting: string): Table {
  const own = (size: Size, store: string) => {
    for (const [cell, measured] of samples) {
      if (cell.way === way && cell.size === size && cell.store === store) return measured
    }
    return []
  }
  const cpu = (measured: readonly BodySample[]) => median(measured.map(({ cpuMicros }) => cpuMicros))
  const rows = sizes.map((size): Cell[] => {
    const [bare, redis, sqlite] = [own(size, 'none'), own(size, 'redis'), own(size, 'sqlite')]
    const ratio = (measured: readonly BodySample[]) =>
      Number(
        median(measured.map(({ cpuMicros }, round) => cpuMicros / (bare[round]?.cpuMicros ?? 0))).toFixed(2),
      )
    const speed = (measured: readonly BodySample[]) =>
      rounded(median(measured.map(({ requestsPerSecond }) => requestsPerSecond)))
    return [
      size.said,
      Math.round(cpu(bare)),
      Math.round(cpu(redis)),
      ratio(redis),
      Math.round(cpu(sqlite)),
      ratio(sqlite),
      speed(bare),
      speed(redis),
      speed(sqlite),
    ]
  })
  const columns = [
    'bare, CPU µs',
    'Redis, CPU µs',
    'Redis ÷ bare',
    'SQLite, CPU µs',
    'SQLite ÷ bare',
    'bare, requests/s',
    'Redis, requests/s',
    'SQLite, requests/s',
  ]
  const bars = rows.flatMap(([said, , , redis, , sqlite]) => [
    { label: `${said}, Redis`, value: Number(redis), floor: 1 },
    { label: `${said}, SQLite`, value: Number(sqlite), floor: 1 },
  ])
  return {
    name: `${way} bodies`,
    heading:
      way === 'request' ? 'How cost grows: the body of a request' : 'How cost grows: the body of an answer',
    intro:
      way === 'request'
        ? 'First requests with a JSON body of that size, and an answer of 100 bytes, beside bare Express with its JSON parser.'
        : 'First requests of 100 bytes with an answer of that size. Bare Express sends it; hapax also keeps it in the store.',
    follows: way === 'request' ? 'embedded' : 'request bodies',
    setting,
    columns: [`${way} body`, ...columns],
    rows,
    chart: { title: `CPU time ÷ bare Express: ${way} bodies`, bars },
  }
}
