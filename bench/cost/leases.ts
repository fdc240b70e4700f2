import { setTimeout as sleep } from 'node:timers/promises'
import { load, type LoadResult } from '../load.ts'
import { median } from '../median.ts'
import type { Settings } from '../options.ts'
import { progress } from '../progress.ts'
import { roundsOf } from '../rounds.ts'
import type { Served } from '../served.ts'
import { rounded, type Table } from '../table.ts'
import { warmUpRequests } from '../warm-up.ts'
import { withSubjects } from './places.ts'

const heldCounts = [0, 1_000, 10_000]
/** Leases of 30 s are renewed every 10 s: each measurement sees every running lease renewed once. */
const renewalPeriodSeconds = 10
const connections = 64

interface LeaseCell {
  readonly name: string
  readonly held: number
}

interface LeaseSample extends LoadResult {
  readonly cpuMicros: number
}

/** First requests while other runs are in progress in the same process. */
export async function leaseTables(settings: Settings): Promise<Table[]> {
  const rounds = settings.rounds ?? 5
  const seconds = settings.quick ? 1 : renewalPeriodSeconds
  const cells = heldCounts.map((held): LeaseCell => ({ name: `${held} other runs`, held }))
  return withSubjects(async (start) => {
    const servers = new Map<LeaseCell, Served>()
    for (const cell of cells) {
      progress(`start: ${cell.name}`)
      servers.set(cell, await start({ store: 'redis', heldRuns: cell.held }))
    }
    const serverOf = (cell: LeaseCell): Served => {
      const server = servers.get(cell)
      if (server === undefined) throw new Error(`No server with ${cell.name}`)
      return server
    }
    for (const cell of cells) {
      progress(`warm-up: ${cell.name}`)
      const requests = warmUpRequests({ requests: settings.requests ?? 1_000, warmUp: settings.warmUp })
      await load({ url: serverOf(cell).url, traffic: 'first', length: { requests }, connections })
    }
    progress('renewals, without load')
    const idle = await idleMillisPerSecond(
      cells.map(serverOf),
      renewalPeriodSeconds * (settings.quick ? 1 : 2),
    )
    const samples = await roundsOf(rounds, cells, async (cell): Promise<LeaseSample> => {
      const server = serverOf(cell)
      const before = server.cpuMicros()
      const result = await load({ url: server.url, traffic: 'first', length: { seconds }, connections })
      return { ...result, cpuMicros: (server.cpuMicros() - before) / result.answered }
    })
    return [tableOf(samples, idle, `${rounds} rounds of ${seconds} s, ${connections} connections; medians`)]
  })
}

/** CPU time of each server while it does nothing but renew. All at once: it is each process's own time. */
async function idleMillisPerSecond(servers: readonly Served[], seconds: number): Promise<number[]> {
  const before = servers.map((server) => server.cpuMicros())
  await sleep(seconds * 1_000)
  return servers.map((server, index) => (server.cpuMicros() - (before[index] ?? 0)) / 1_000 / seconds)
}

function tableOf(
  samples: ReadonlyMap<LeaseCell, readonly LeaseSample[]>,
  idle: readonly number[],
  setting: string,
): Table {
  const entries = [...samples]
  const alone = entries[0]?.[1] ?? []
  const cpuOf = (own: readonly LeaseSample[]) => Math.round(median(own.map(({ cpuMicros }) => cpuMicros)))
  return {
    name: 'leases',
    follows: 'duplicates',
    heading: 'How cost grows: running leases',
    intro:
      'First requests on Redis while so many other runs are in progress in the same process, whose leases of 30 s are renewed every\n' +
      '10 s in batches. **Renewals** is the CPU time of the server process for each second in which it does nothing else.',
    setting,
    columns: [
      'other runs',
      'CPU µs a request',
      'CPU ÷ none',
      'requests/s',
      'requests ÷ none',
      'p50 ms',
      'p99 ms',
      'renewals, CPU ms/s',
    ],
    rows: entries.map(([{ held }, own], index) => {
      const middle = (pick: (sample: LeaseSample) => number) => median(own.map(pick))
      const toAlone = (pick: (sample: LeaseSample) => number) =>
        Number(median(own.map((sample, round) => pick(sample) / pick(alone[round] ?? sample))).toFixed(2))
      return [
        held,
        cpuOf(own),
        toAlone(({ cpuMicros }) => cpuMicros),
        Math.round(middle(({ requestsPerSecond }) => requestsPerSecond)),
        toAlone(({ requestsPerSecond }) => requestsPerSecond),
        rounded(middle(({ p50Ms }) => p50Ms)),
        rounded(middle(({ p99Ms }) => p99Ms)),
        rounded(idle[index] ?? Number.NaN),
      ]
    }),
    chart: {
      title: 'CPU µs a request, while other runs are in progress',
      bars: entries.map(([{ name, held }, own]) => ({
        label: name,
        value: cpuOf(own),
        floor: held === 0 ? undefined : cpuOf(alone),
      })),
    },
  }
}
