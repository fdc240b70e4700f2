// Steady traffic at one server per store, and whether anything grows: `npm run soak -- --minutes 10`.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Pool } from 'pg'
import { startOwnRedis, startPostgres } from '../scripts/services/index.ts'
import { soak, type SoakResult } from './soak.ts'

const help = `Usage: npm run soak -- [options]

  --minutes <n>   how long (default 10)
  --stores <s>    of memory, sqlite, redis, postgres, with commas between (default: all)
  --every <n>     seconds between two samples (default 5)
  --json          print the results as JSON
  --help

Ends with code 1 if heap, memory, handles or records of a server grow in the second half, or an answer was wrong.`

type Place = { readonly url: string; end(): Promise<void> }

const places: Readonly<Record<string, () => Promise<Place>>> = {
  memory: async () => ({ url: 'memory', end: async () => {} }),
  sqlite: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hapax-soak-'))
    return {
      url: `sqlite:${join(folder, 'keys.db')}`,
      end: async () => rmSync(folder, { recursive: true }),
    }
  },
  redis: async () => {
    const server = await startOwnRedis()
    return { url: server.url, end: () => server.stop() }
  },
  postgres: async () => {
    const server = await startPostgres()
    const schema = `soak_${randomUUID().slice(0, 8)}`
    const url = new URL(server.url)
    url.searchParams.set('schema', schema)
    const end = async () => {
      const pool = new Pool({ connectionString: server.url, max: 1 })
      await pool.query(`DROP SCHEMA IF EXISTS "${schema}" CASCADE`)
      await pool.end()
      await server.stop()
    }
    return { url: url.href, end }
  },
}

process.exitCode = await main()

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      stores: { type: 'string', default: Object.keys(places).join() },
      every: { type: 'string', default: '5' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(help)
    return 0
  }
  const names = values.stores.split(',')
  const unknown = names.filter((name) => places[name] === undefined)
  if (unknown.length > 0) throw new RangeError(`There is no store ${unknown.join()}: see --help.`)
  const times = {
    durationMs: positive(values.minutes, 'minutes') * 60_000,
    everyMs: positive(values.every, 'every') * 1000,
  }
  const results = await Promise.all(names.map((name) => soakOn(name, times)))
  for (const result of results) if (!values.json) console.log(textOf(result))
  if (values.json) console.log(JSON.stringify(results))
  return results.every(({ isFlat, wrong }) => isFlat && wrong.length === 0) ? 0 : 1
}

async function soakOn(name: string, times: { durationMs: number; everyMs: number }): Promise<SoakResult> {
  const place = await places[name]?.()
  if (place === undefined) throw new RangeError(`There is no store ${name}.`)
  try {
    return await soak({ store: name, url: place.url, ...times })
  } finally {
    await place.end()
  }
}

function textOf({ store, isFlat, verdicts, requests, hangUps, wrong, samples, last }: SoakResult): string {
  const lines = verdicts.map(({ name, rise, mean, isFlat: flat }) => {
    const percent = mean === 0 ? 0 : (rise / mean) * 100
    return `  ${flat ? 'flat ' : 'GROWS'} ${name.padEnd(22)} mean ${round(mean)}, ${percent.toFixed(1)} % in the second half`
  })
  const kinds = Object.entries(last.byKind).map(([kind, count]) => `${kind} ${count}`)
  return [
    `${isFlat && wrong.length === 0 ? 'ok    ' : 'BROKEN'} ${store}: ${requests} answers, ${hangUps} hang-ups, ${samples} samples`,
    ...lines,
    `  at the end: ${kinds.join(', ')}`,
    ...wrong.slice(0, 5).map((each) => `  wrong: ${each}`),
  ].join('\n')
}

function round(value: number): string {
  return value > 1e6 ? `${(value / 1024 / 1024).toFixed(1)} MiB` : value.toFixed(1)
}

function positive(text: string, option: string): number {
  const value = Number(text)
  if (value > 0) return value
  throw new RangeError(`--${option} must be a number above 0; received "${text}".`)
}
