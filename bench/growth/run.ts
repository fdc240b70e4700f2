// npm run bench:growth [-- --stores Redis,Postgres,SQLite --sizes 1000,100000,10000000 --rounds 9 --json]
//
// What a first request and a replay cost a store that holds few records, and one that holds many. Every round asks each
// size once, so that a machine whose speed drifts slows all of them alike; ratios are taken within a round.
import { randomUUID } from 'node:crypto'
import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { median } from '../median.ts'
import { type Filled, filledId, firstRequest, replay } from './filled.ts'
import { filledPostgres } from './postgres.ts'
import { filledRedis } from './redis.ts'
import { filledSqlite } from './sqlite.ts'

const { values } = parseArgs({
  options: {
    stores: { type: 'string', default: 'Redis,Postgres,SQLite' },
    sizes: { type: 'string', default: '1000,100000,1000000' },
    rounds: { type: 'string', default: '9' },
    operations: { type: 'string', default: '2000' },
    json: { type: 'boolean', default: false },
  },
})
const fillers: Readonly<Record<string, (records: number) => Promise<Filled>>> = {
  Redis: filledRedis,
  Postgres: filledPostgres,
  SQLite: filledSqlite,
}
const sizes = values.sizes.split(',').map(Number)
const rounds = Number(values.rounds)
const operations = Number(values.operations)
const atATime = 16
const deleted = 20_000

interface Sample {
  readonly firstPerSecond: number
  readonly replaysPerSecond: number
  /** Two plain writes, and a plain read, of the same database at the same size. */
  readonly bareFirstPerSecond: number
  readonly bareReadsPerSecond: number
  readonly bytesPerFirst: number
  readonly bytesPerReplay: number
}

const rows: object[] = []
for (const name of values.stores.split(',')) {
  const fill = fillers[name]
  if (fill === undefined)
    throw new Error(`--stores: ${name} is not one of ${Object.keys(fillers).join(', ')}.`)
  rows.push(...(await compare(name, fill)))
}
const machine = `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`
const setting = `${rounds} rounds of ${operations} operations, ${atATime} at a time; medians`
if (values.json) {
  console.log(JSON.stringify({ date: new Date().toISOString(), machine, setting, rows }, undefined, 2))
} else {
  console.log(`${new Date().toISOString().slice(0, 10)}, ${machine}\n${setting}`)
  console.table(rows)
}

async function compare(name: string, fill: (records: number) => Promise<Filled>): Promise<object[]> {
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
        const sample = await measure(filled)
        // The first one warms up.
        if (round > 0) samples[index]?.push(sample)
      }
    }
    progress(`${name}: deletions`)
    const deletions: number[] = []
    for (const { deletionBytes } of stores) deletions.push((await deletionBytes?.(deleted)) ?? 0)
    return stores.map((filled, index) =>
      rowOf(filled, samples[index] ?? [], samples[0] ?? [], deletions[index] ?? 0),
    )
  } finally {
    progress('')
    for (const filled of stores) await filled.close()
  }
}

async function measure({ store, records, meter, bare }: Filled): Promise<Sample> {
  const anyId = () => filledId(Math.floor(Math.random() * records))
  const run = randomUUID()
  const beforeBytes = (await meter?.read()) ?? 0
  const firstPerSecond = await perSecond((index) => firstRequest(store, `${run}-${index}`))
  const betweenBytes = (await meter?.read()) ?? 0
  const replaysPerSecond = await perSecond(() => replay(store, anyId()))
  const afterBytes = (await meter?.read()) ?? 0
  const bareFirstPerSecond = await perSecond((index) => bare.first(`${run}-bare-${index}`))
  const bareReadsPerSecond = await perSecond(() => bare.read(anyId()))
  return {
    firstPerSecond,
    replaysPerSecond,
    bareFirstPerSecond,
    bareReadsPerSecond,
    bytesPerFirst: (betweenBytes - beforeBytes) / operations,
    bytesPerReplay: (afterBytes - betweenBytes) / operations,
  }
}

async function perSecond(operation: (index: number) => Promise<void>): Promise<number> {
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

function rowOf(
  filled: Filled,
  own: readonly Sample[],
  smallest: readonly Sample[],
  deletionBytes: number,
): object {
  const ratio = (pick: (sample: Sample) => number) =>
    Number(median(own.map((sample, round) => pick(sample) / pick(smallest[round] ?? sample))).toFixed(2))
  return {
    store: filled.name,
    records: filled.records,
    'bytes a record': Math.round(filled.bytesPerRecord),
    'first requests/s': Math.round(median(own.map(({ firstPerSecond }) => firstPerSecond))),
    'to the smallest': ratio(({ firstPerSecond }) => firstPerSecond),
    'bare writes, to the smallest': ratio(({ bareFirstPerSecond }) => bareFirstPerSecond),
    'replays/s': Math.round(median(own.map(({ replaysPerSecond }) => replaysPerSecond))),
    'replays, to the smallest': ratio(({ replaysPerSecond }) => replaysPerSecond),
    'bare reads, to the smallest': ratio(({ bareReadsPerSecond }) => bareReadsPerSecond),
    ...(filled.meter && {
      [`${filled.meter.counts}, bytes a first request`]: Math.round(
        median(own.map(({ bytesPerFirst }) => bytesPerFirst)),
      ),
      'a replay': Math.round(median(own.map(({ bytesPerReplay }) => bytesPerReplay))),
    }),
    ...(deletionBytes > 0 && { 'a deletion': Math.round(deletionBytes) }),
  }
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text.padEnd(60)}${text === '' ? '\r' : ''}`)
}
