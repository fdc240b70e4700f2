import { median } from '../median.ts'
import { type Cell, rounded, type Table } from '../table.ts'
import type { Growth, Level, Sample } from './measure.ts'

const page = 'capacity.md'

/** What was measured; what each operation moves; and what follows for a day. */
export function growthTables(stores: readonly Growth[], setting: string): Table[] {
  return [
    {
      name: 'growth',
      page,
      heading: 'Measured',
      intro: '',
      setting,
      columns: [
        'store',
        'live records',
        'bytes a record',
        '÷ predicted',
        'first requests/s',
        'first ÷ fewest',
        'bare writes ÷ fewest',
        'replays/s',
        'replays ÷ fewest',
        'bare reads ÷ fewest',
      ],
      rows: stores.flatMap(sizesOf),
    },
    {
      name: 'traffic',
      page,
      heading: 'Bytes moved',
      intro: '',
      setting,
      columns: ['store', 'counted', 'a first request', 'a replay', 'a deletion'],
      rows: stores.flatMap(trafficOf),
    },
    {
      name: 'a day',
      page,
      heading: 'What that means for 24 hours',
      intro: '',
      setting: 'arithmetic of the largest sizes above',
      columns: ['first requests a second', 'records', ...stores.flatMap(columnsOf)],
      rows: [10, 1_000, 100_000].map((rate) => [
        told(rate),
        told(rate * secondsADay),
        ...stores.flatMap((store) => dayOf(store, rate)),
      ]),
    },
  ]
}

const secondsADay = 86_400

/** What 100,000 records take predicts the others; bytes have no chance in them. */
function sizesOf({ name, levels }: Growth): Cell[][] {
  const [fewest] = levels
  const predicted = levels.at(-2)?.bytesPerRecord
  return levels.map((level) => {
    const ratio = (pick: (sample: Sample) => number) =>
      Number(
        median(
          level.samples.map((sample, round) => pick(sample) / pick(fewest?.samples[round] ?? sample)),
        ).toFixed(2),
      )
    return [
      name,
      told(level.records),
      Math.round(level.bytesPerRecord),
      level === levels.at(-1) && predicted !== undefined ? level.bytesPerRecord / predicted : '–',
      told(middle(level, ({ firstPerSecond }) => firstPerSecond)),
      ratio(({ firstPerSecond }) => firstPerSecond),
      ratio(({ bareFirstPerSecond }) => bareFirstPerSecond),
      told(middle(level, ({ replaysPerSecond }) => replaysPerSecond)),
      ratio(({ replaysPerSecond }) => replaysPerSecond),
      ratio(({ bareReadsPerSecond }) => bareReadsPerSecond),
    ]
  })
}

function trafficOf({ name, meters, levels }: Growth): Cell[][] {
  const largest = levels.at(-1)
  if (meters === undefined || largest === undefined) return []
  const { bytesPerDeletion } = largest
  return [
    [
      name,
      meters,
      told(middle(largest, ({ bytesPerFirst }) => bytesPerFirst)),
      told(middle(largest, ({ bytesPerReplay }) => bytesPerReplay)),
      bytesPerDeletion === undefined ? '–' : told(bytesPerDeletion),
    ],
  ]
}

function columnsOf({ name, meters }: Growth): string[] {
  const kept = name === 'Redis' ? 'memory' : 'disk'
  return [`${name}: ${kept}`, ...(meters === undefined ? [] : [`${name}: ${meters}`])]
}

function dayOf({ meters, levels }: Growth, rate: number): Cell[] {
  const largest = levels.at(-1)
  if (largest === undefined) return []
  const kept = inUnits(largest.bytesPerRecord * rate * secondsADay)
  if (meters === undefined) return [kept]
  // What is recorded is deleted again, sooner or later.
  const moved = middle(largest, ({ bytesPerFirst }) => bytesPerFirst) + (largest.bytesPerDeletion ?? 0)
  return [kept, `${inUnits(moved * rate)}/s, ${inUnits(moved * rate * secondsADay)} a day`]
}

function middle({ samples }: Level, pick: (sample: Sample) => number): number {
  return median(samples.map(pick))
}

function told(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function inUnits(bytes: number): string {
  const power = Math.min(4, Math.floor(Math.log10(bytes) / 3))
  return `${rounded(bytes / 1_000 ** power)} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`
}
