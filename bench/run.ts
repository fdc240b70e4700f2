// npm run bench [-- --group stores --rounds 15 --requests 1000 --connections 64 --only Redis --json --write]
//
// Every round runs each variant once, one after the other, so that a machine whose speed drifts slows all of
// them alike. Ratios are taken within a round; printed is the median of the rounds. CPU time is the server
// process's alone, without the store's server and without the load. `--only` takes variants by a part of their names,
// `--group` one of stores, frameworks, peers. `--write` puts table and chart into docs/benchmarks.md.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { startOwnPostgres, startRedis } from '../scripts/services/index.ts'
import { writeChart } from './chart.ts'
import { load } from './load.ts'
import { rowsOf, type Row, type Sample, type Samples, writeTable } from './report.ts'
import { type Places, Served } from './served.ts'
import { type Variant, variants as allVariants } from './variants.ts'

const { values } = parseArgs({
  options: {
    group: { type: 'string', default: 'stores' },
    rounds: { type: 'string', default: '15' },
    requests: { type: 'string', default: '1000' },
    connections: { type: 'string', default: '64' },
    only: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
})
/** In the first round, which is not counted: compilers need that many to be done. */
const warmUpRequests = 8_000
const rounds = Number(values.rounds)
const requests = Number(values.requests)
const connections = Number(values.connections)
const ofGroup = allVariants.filter(({ group }) => group === values.group)
const wanted = ofGroup.filter(({ name }) => name.includes(values.only))
const variants = ofGroup.filter(
  (variant) => wanted.includes(variant) || wanted.some(({ floor }) => floor === variant.name),
)
if (variants.length === 0) throw new Error('No variant is left of --group and --only.')

const folder = mkdtempSync(join(tmpdir(), 'hapax-bench-'))
const servers = new Map<string, Served>()
const redis = await startRedis()
const postgres = variants.some(needsPostgres) ? await startOwnPostgres() : undefined
try {
  if (values.group === 'peers') installPeers()
  for (const { name, server } of variants) {
    const places: Places = {
      file: join(folder, `${servers.size}.sqlite`),
      redisUrl: redis.url,
      postgresUrl: postgres?.url ?? '',
    }
    servers.set(name, await Served.start(server, places))
  }
  report(await rounded())
} finally {
  await Promise.all([...servers.values()].map((server) => server.stop()))
  await postgres?.stop()
  await redis.stop()
  rmSync(folder, { recursive: true, force: true })
}

function needsPostgres({ server }: Variant): boolean {
  return server.kind === 'ours' && /postgres/i.test(server.work)
}

function installPeers(): void {
  const cwd = join(import.meta.dirname, 'peers')
  if (existsSync(join(cwd, 'node_modules'))) return
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd, stdio: 'inherit' })
}

async function rounded(): Promise<Samples> {
  const samples = new Map<string, Sample[]>(variants.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round += 1) {
    for (const variant of variants) {
      progress(`round ${round} of ${rounds}: ${variant.name}`)
      const sample = await measure(variant, round === 0 ? warmUpRequests : requests)
      if (round > 0) samples.get(variant.name)?.push(sample)
    }
  }
  progress('')
  return samples
}

async function measure({ name, traffic }: Variant, count: number): Promise<Sample> {
  const server = servers.get(name)
  if (server === undefined) throw new Error(`No server for ${name}`)
  const before = server.cpuMicros()
  const result = await load({ url: server.url, traffic, requests: count, connections })
  return { ...result, cpuMicros: (server.cpuMicros() - before) / count }
}

function report(samples: Samples): void {
  const rows = rowsOf(variants, samples)
  const date = new Date().toISOString()
  const machine = `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`
  const setting = `${rounds} rounds of ${requests} requests, ${connections} connections; medians`
  if (values.json) {
    console.log(JSON.stringify({ date, machine, setting, rows }, undefined, 2))
  } else {
    console.log(`${date.slice(0, 10)}, ${machine}\n${setting}`)
    console.table(Object.fromEntries(rows.map(({ variant, ...row }) => [variant, row])))
  }
  if (values.write) write(rows, `${date.slice(0, 10)}, ${machine}; ${setting}.`)
}

function write(rows: readonly Row[], circumstances: string): void {
  const docs = join(import.meta.dirname, '../docs')
  const name = connections === 64 ? values.group : `${values.group}, ${connections} connections`
  writeTable(join(docs, 'benchmarks.md'), name, circumstances, rows)
  const chart = `bench-${name.replaceAll(/\W+/g, '-')}.svg`
  writeChart(join(docs, chart), `CPU µs a request: ${name}`, rows)
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${text.padEnd(60)}${text === '' ? '\r' : ''}`)
}
