import { randomUUID } from 'node:crypto'
import { progress } from '../progress.ts'
import { type Filled, filledId, firstRequest, type Meter, replay } from './filled.ts'

/** What one store was found to cost, with few records and with many. */
export interface Growth {
  readonly name: string
  readonly meters: Meter['counts'] | undefined
  /** In the order of the sizes. */
  readonly levels: readonly Level[]
}

export interface Level {
  readonly records: number
  readonly bytesPerRecord: number
  /** Undefined where the store deletes nothing by itself. */
  readonly bytesPerDeletion: number | undefined
  /** One for each round. */
  readonly samples: readonly Sample[]
}

export interface Sample {
  readonly firstPerSecond: number
  readonly replaysPerSecond: number
  /** Two plain writes of one key, and a plain read, in the same database at the same size. */
  readonly bareFirstPerSecond: number
  readonly bareReadsPerSecond: number
  readonly bytesPerFirst: number
  readonly bytesPerReplay: number
}

export interface Extent {
  readonly sizes: readonly number[]
  readonly rounds: number
  readonly operations: number
}

export const atATime = 16
const deletions = 20_000

/** Every round asks each size once, so that a machine whose speed drifts slows all of them alike. */
export async function growthOf(
  name: string,
  fill: (records: number) => Promise<Filled>,
  { sizes, rounds, operations }: Extent,
): Promise<Growth> {
  const stores: Filled[] = []
  try {
    for (const size of sizes) {
      progress(`${name}: ${size} records`)
      stores.push(await fill(size))
    }
    const samples = stores.map((): Sample[] => [])
    for (let round = 0; round <= rounds; round += 1) {
      progress(`${name}: round ${round} of ${rounds}`)
      for (const [index, filled] of stores.entries()) {
        const sample = await measure(filled, operations)
        // The first one warms up.
        if (round > 0) samples[index]?.push(sample)
      }
    }
    progress(`${name}: deletions`)
    const levels: Level[] = []
    for (const [index, { records, bytesPerRecord, deletionBytes }] of stores.entries()) {
      const bytesPerDeletion = await deletionBytes?.(deletions)
      levels.push({ records, bytesPerRecord, bytesPerDeletion, samples: samples[index] ?? [] })
    }
    return { name, meters: stores[0]?.meter?.counts, levels }
  } finally {
    progress('')
    for (const filled of stores) await filled.close()
  }
}

async function measure({ store, records, meter, bare }: Filled, operations: number): Promise<Sample> {
  const anyId = () => filledId(Math.floor(Math.random() * records))
  const run = randomUUID()
  const read = async () => (await meter?.read()) ?? 0
  const beforeBytes = await read()
  const firstPerSecond = await perSecond(operations, (index) => firstRequest(store, `${run}-${index}`))
  const betweenBytes = await read()
  const replaysPerSecond = await perSecond(operations, () => replay(store, anyId()))
  const afterBytes = await read()
  return {
    firstPerSecond,
    replaysPerSecond,
    bareFirstPerSecond: await perSecond(operations, (index) => bare.first(`${run}-bare-${index}`)),
    bareReadsPerSecond: await perSecond(operations, () => bare.read(anyId())),
    bytesPerFirst: (betweenBytes - beforeBytes) / operations,
    bytesPerReplay: (afterBytes - betweenBytes) / operations,
  }
}

async function perSecond(operations: number, operation: (index: number) => Promise<void>): Promise<number> {
  const startMs = performance.now()
  let next = 0
  const loop = async () => {
    while (next < operations) {
      next += 1
      await operation(next)
    }
  }
  await Promise.all(Array.from({ length: atATime }, loop))
  return operations / ((performance.now() - startMs) / 1_000)
}
