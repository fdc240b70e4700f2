import type { Chart } from './chart.ts'
import type { LoadResult } from './load.ts'
import { median } from './median.ts'
import { type Cell, rounded } from './table.ts'
import type { Variant } from './variants.ts'

export interface Sample extends LoadResult {
  readonly cpuMicros: number
}

export type Samples = ReadonlyMap<Variant, readonly Sample[]>

export const columns = [
  'variant',
  'CPU µs',
  'least',
  'CPU ÷ floor',
  'requests/s',
  'requests ÷ floor',
  'p50 ms',
  'p99 ms',
  'p99 ÷ floor',
  'floor',
]

/** Medians of the rounds; ratios are taken within a round, against the floor's sample of the same round. */
export function rowsOf(samples: Samples): Cell[][] {
  return [...samples].map(([{ name, floor }, own]) => {
    const floors = floorOf(floor, samples)
    const middle = (pick: (sample: Sample) => number) => median(own.map(pick))
    const toFloor = (pick: (sample: Sample) => number) =>
      Number(median(own.map((sample, round) => pick(sample) / pick(floors[round] ?? sample))).toFixed(2))
    return [
      name,
      Math.round(middle(({ cpuMicros }) => cpuMicros)),
      // What other work on the machine adds is never negative.
      Math.round(Math.min(...own.map(({ cpuMicros }) => cpuMicros))),
      toFloor(({ cpuMicros }) => cpuMicros),
      Math.round(middle(({ requestsPerSecond }) => requestsPerSecond)),
      toFloor(({ requestsPerSecond }) => requestsPerSecond),
      rounded(middle(({ p50Ms }) => p50Ms)),
      rounded(middle(({ p99Ms }) => p99Ms)),
      toFloor(({ p99Ms }) => p99Ms),
      floor === name ? 'itself' : floor,
    ]
  })
}

export function chartOfSamples(title: string, samples: Samples): Chart {
  const cpuOf = (own: readonly Sample[]) => Math.round(median(own.map(({ cpuMicros }) => cpuMicros)))
  const bars = [...samples].map(([{ name, floor }, own]) => ({
    label: name,
    value: cpuOf(own),
    floor: floor === name ? undefined : cpuOf(floorOf(floor, samples)),
  }))
  return { title, bars }
}

function floorOf(floor: string, samples: Samples): readonly Sample[] {
  for (const [variant, own] of samples) if (variant.name === floor) return own
  throw new Error(`${floor} was not measured, though others are held against it.`)
}
