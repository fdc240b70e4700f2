// npm run bench [-- --rounds 30 --requests 1000 --connections 64 --only Redis --json]
//
// Every round runs each variant once, one after the other, so that a machine whose speed drifts slows all of
// them alike. Ratios are taken within a round; printed is the median of the rounds. CPU time is the server
// process's alone, without Redis and without the load. `--only` takes variants by a part of their names.
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startRedis } from '../scripts/services/index.ts'
import { load, type LoadResult } from './load.ts'
import { median } from './median.ts'
import { Served } from './served.ts'
import { type Variant, variants as allVariants } from './variants.ts'

interface Sample extends LoadResult {
  readonly cpuMicros: number
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    requests: { type: 'string', default: '1000' },
    connections: { type: 'string', default: '64' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
})
/** In the first round, which is not counted: compilers need that many to be done. */
const warmUpRequests = 8_000
const rounds = Number(values.rounds)
const requests = Number(values.requests)
const connections = Number(values.connections)
const [bare] = allVariants
const variants = allVariants.filter(({ name }) => name === bare?.name || name.includes(values.only))

const folder = mkdtempSync(join(tmpdir(), 'hapax-bench-'))
const servers = new Map<string, Served>()
const redis = await startRedis()
try {
  for (const { name, handler } of variants) {
    servers.set(name, await Served.start(handler, join(folder, `${servers.size}.sqlite`), redis.url))
  }
  const samples = new Map<string, Sample[]>(variants.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round += 1) {
    for (const variant of variants) {
      const sample = await measure(variant, round === 0 ? warmUpRequests : requests)
      if (round > 0) samples.get(variant.name)?.push(sample)
      if (!values.json) process.stderr.write(`\rround ${round} of ${rounds}: ${variant.name}`.padEnd(60))
    }
  }
  if (!values.json) process.stderr.write(`\r${''.padEnd(60)}\r`)
  report(samples)
} finally {
  await Promise.all([...servers.values()].map((server) => server.stop()))
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
}

async function measure({ name, traffic }: Variant, count: number): Promise<Sample> {
  const server = servers.get(name)
  if (server === undefined) throw new Error(`No server for ${name}`)
  const before = await server.cpuMicros()
  const result = await load({ url: server.url, traffic, requests: count, connections })
  return { ...result, cpuMicros: ((await server.cpuMicros()) - before) / count }
}

function report(samples: ReadonlyMap<string, readonly Sample[]>): void {
  const rows = variants.map(({ name, floor }) => {
    const own = samples.get(name) ?? []
    const ratioTo = (other: string | undefined, pick: (sample: Sample) => number) => {
      const others = samples.get(other ?? '') ?? []
      const ratios = own.flatMap((sample, round) => {
        const base = others[round]
        return base === undefined ? [] : [pick(sample) / pick(base)]
      })
      return Number(median(ratios).toFixed(2))
    }
    return {
      variant: name,
      'CPU µs': Math.round(median(own.map((sample) => sample.cpuMicros))),
      // What other work on the machine adds is never negative.
      'least CPU µs': Math.round(Math.min(...own.map((sample) => sample.cpuMicros))),
      'CPU ÷ bare': ratioTo(bare?.name, (sample) => sample.cpuMicros),
      'CPU ÷ floor': ratioTo(floor, (sample) => sample.cpuMicros),
      'requests/s': Math.round(median(own.map((sample) => sample.requestsPerSecond))),
      'requests/s ÷ floor': ratioTo(floor, (sample) => sample.requestsPerSecond),
      'p50 ms': median(own.map((sample) => sample.p50Ms)),
      'p99 ms': median(own.map((sample) => sample.p99Ms)),
      floor,
    }
  })
  const machine = `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`
  const setting = `${rounds} rounds of ${requests} requests, ${connections} connections; medians`
  if (values.json) {
    console.log(JSON.stringify({ date: new Date().toISOString(), machine, setting, rows }, undefined, 2))
  } else {
    console.log(`${new Date().toISOString().slice(0, 10)}, ${machine}\n${setting}`)
    console.table(rows)
  }
}
