import { readFileSync, writeFileSync } from 'node:fs'
import type { LoadResult } from './load.ts'
import { median } from './median.ts'
import type { Variant } from './variants.ts'

export interface Sample extends LoadResult {
  readonly cpuMicros: number
}

export type Samples = ReadonlyMap<string, readonly Sample[]>

export interface Row {
  readonly variant: string
  readonly floor: string
  readonly cpuMicros: number
  /** What other work on the machine adds is never negative. */
  readonly leastCpuMicros: number
  readonly cpuToFloor: number
  readonly requestsPerSecond: number
  readonly requestsToFloor: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Medians of the rounds; ratios are taken within a round, against the floor's sample of the same round. */
export function rowsOf(variants: readonly Variant[], samples: Samples): Row[] {
  return variants.map(({ name, floor }) => {
    const own = samples.get(name) ?? []
    const floors = samples.get(floor) ?? []
    const ratioOf = (pick: (sample: Sample) => number) => {
      const ratios = own.flatMap((sample, round) => {
        const base = floors[round]
        return base === undefined ? [] : [pick(sample) / pick(base)]
      })
      return Number(median(ratios).toFixed(2))
    }
    return {
      variant: name,
      floor,
      cpuMicros: Math.round(median(own.map(({ cpuMicros }) => cpuMicros))),
      leastCpuMicros: Math.round(Math.min(...own.map(({ cpuMicros }) => cpuMicros))),
      cpuToFloor: ratioOf(({ cpuMicros }) => cpuMicros),
      requestsPerSecond: Math.round(median(own.map(({ requestsPerSecond }) => requestsPerSecond))),
      requestsToFloor: ratioOf(({ requestsPerSecond }) => requestsPerSecond),
      p50Ms: median(own.map(({ p50Ms }) => p50Ms)),
      p99Ms: median(own.map(({ p99Ms }) => p99Ms)),
    }
  })
}

/** Puts a table and its circumstances into `file`, between the markers named `name`. */
export function writeTable(file: string, name: string, circumstances: string, rows: readonly Row[]): void {
  const [begin, end] = [`<!-- bench ${name}: begin -->`, `<!-- bench ${name}: end -->`]
  const [before, rest] = readFileSync(file, 'utf8').split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined)
    throw new Error(`${file} lacks the markers ${begin} and ${end}.`)
  writeFileSync(file, `${before}${begin}\n\n${circumstances}\n\n${tableOf(rows)}\n\n${end}${after}`)
}

function tableOf(rows: readonly Row[]): string {
  const lines = [
    ['variant', 'CPU µs', 'least', '÷ floor', 'requests/s', '÷ floor', 'p50 ms', 'p99 ms', 'floor'],
    ['---', '--:', '--:', '--:', '--:', '--:', '--:', '--:', '---'],
    ...rows.map((row) => [
      row.variant,
      row.cpuMicros,
      row.leastCpuMicros,
      row.cpuToFloor.toFixed(2),
      row.requestsPerSecond,
      row.requestsToFloor.toFixed(2),
      row.p50Ms,
      row.p99Ms,
      row.floor === row.variant ? 'itself' : row.floor,
    ]),
  ]
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}
