// npm run bench:growth [-- --help]
//
// What a first request and a replay cost a store that holds few records, and one that holds many. Ratios are taken within
// a round; beside them stands what the same database's plainest commands do at that size.
import { parseArgs } from 'node:util'
import { circumstances } from '../circumstances.ts'
import { writeTable } from '../page.ts'
import { markdownOf, objectsOf } from '../table.ts'
import type { Filled } from './filled.ts'
import { atATime, type Extent, type Growth, growthOf } from './measure.ts'
import { filledPostgres } from './postgres.ts'
import { filledRedis } from './redis.ts'
import { filledSqlite } from './sqlite.ts'
import { growthTables } from './tables.ts'

const fillers: Readonly<Record<string, (records: number) => Promise<Filled>>> = {
  Redis: filledRedis,
  Postgres: filledPostgres,
  SQLite: filledSqlite,
}
const all = Object.keys(fillers).join(',')
const everySize = '1000,100000,10000000'

const { values } = parseArgs({
  options: {
    stores: { type: 'string', default: all },
    sizes: { type: 'string', default: everySize },
    rounds: { type: 'string', default: '7' },
    operations: { type: 'string', default: '1500' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) console.log(helpText())
else await run()

async function run(): Promise<void> {
  if (values.write && (values.stores !== all || values.sizes !== everySize)) {
    throw new Error('--write puts whole tables into docs/capacity.md: take it without --stores and --sizes.')
  }
  const extent: Extent = {
    sizes: values.sizes.split(',').map((text) => wholeNumber('sizes', text)),
    rounds: wholeNumber('rounds', values.rounds),
    operations: wholeNumber('operations', values.operations),
  }
  const stores: Growth[] = []
  for (const name of values.stores.split(',')) {
    const fill = fillers[name]
    if (fill === undefined) throw new Error(`--stores: ${name} is not one of ${all}.`)
    stores.push(await growthOf(name, fill, extent))
  }
  const setting = `${extent.rounds} rounds of ${extent.operations} operations, ${atATime} at a time; medians`
  for (const table of growthTables(stores, setting)) {
    const where = `${circumstances()}; ${table.setting}.`
    if (values.json) {
      console.log(JSON.stringify({ name: table.name, where, rows: objectsOf(table) }, undefined, 2))
    } else {
      console.log(`${table.heading}\n${where}\n\n${markdownOf(table)}\n`)
    }
    if (values.write) writeTable(table, where)
  }
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  throw new Error(`--${option}: ${text} is not a whole number above 0.`)
}

function helpText(): string {
  return `Usage: npm run bench:growth -- [options]

Without options: all stores up to 10,000,000 records, printed; 20 minutes, 7 GB of memory and 20 GB of disk.

  --write            write the tables into docs/capacity.md too
  --stores <names>   some of ${all}
  --sizes <numbers>  live records, the fewest first (default ${everySize})
  --rounds <n>       rounds; each asks every size once (default 7)
  --operations <n>   of each kind in a round (default 1500)
  --json             print JSON
  --help`
}
