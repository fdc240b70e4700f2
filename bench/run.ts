// npm run bench [-- --help]
//
// Every round asks each variant once, one after the other, so that a machine whose speed drifts slows all of them
// alike. Ratios are taken within a round; printed is the median of the rounds. CPU time is the server process's alone,
// without the store's server and without the load.
import { besideTables } from './beside/tables.ts'
import { circumstances } from './circumstances.ts'
import { bodyTables } from './cost/bodies.ts'
import { duplicateTables } from './cost/duplicates.ts'
import { leaseTables } from './cost/leases.ts'
import { type GroupName, groupNames } from './groups.ts'
import { importTables } from './import/tables.ts'
import { readOptions, type Settings } from './options.ts'
import { writeTable } from './page.ts'
import { recordTables } from './records/tables.ts'
import { markdownOf, objectsOf, type Table } from './table.ts'

interface Group {
  /** What it takes on two cores, where nothing else runs. */
  readonly minutes: number
  tables(settings: Settings): Promise<readonly Table[]>
}

const groups: Readonly<Record<GroupName, Group>> = {
  stores: { minutes: 6, tables: (settings) => besideTables('stores', settings) },
  frameworks: { minutes: 3, tables: (settings) => besideTables('frameworks', settings) },
  peers: { minutes: 1.5, tables: (settings) => besideTables('peers', settings) },
  embedded: { minutes: 1, tables: (settings) => besideTables('embedded', settings) },
  bodies: { minutes: 3, tables: bodyTables },
  duplicates: { minutes: 1.5, tables: duplicateTables },
  leases: { minutes: 3.5, tables: leaseTables },
  records: { minutes: 0.5, tables: recordTables },
  import: { minutes: 1, tables: importTables },
}

const { group, settings, json, write } = readOptions()
if (group === undefined) await runAll()
else await runOne(group, settings)

/** One that fails does not cost the figures of the others. */
async function runAll(): Promise<void> {
  const startedMs = performance.now()
  let minutesLeft = groupNames.reduce((sum, name) => sum + groups[name].minutes, 0)
  for (const [index, name] of groupNames.entries()) {
    const estimate = settings.quick ? '' : `, about ${Math.ceil(minutesLeft)} minutes left`
    console.error(`[${index + 1} of ${groupNames.length}] ${name}${estimate}`)
    try {
      // One connection shows latency, 512 what a queue does to it.
      await runOne(name, name === 'stores' ? { ...settings, connections: [64, 512, 1] } : settings)
    } catch (error) {
      process.exitCode = 1
      console.error(`${name} has no figures this time:`, error)
    }
    minutesLeft -= groups[name].minutes
  }
  console.error(`Done in ${((performance.now() - startedMs) / 60_000).toFixed(1)} minutes.`)
}

async function runOne(name: GroupName, wanted: Settings): Promise<void> {
  for (const table of await groups[name].tables(wanted)) {
    const where = `${circumstances()}; ${table.setting}.`
    if (json) {
      console.log(JSON.stringify({ name: table.name, where, rows: objectsOf(table) }, undefined, 2))
    } else {
      console.log(`${table.heading}\n${where}\n\n${markdownOf(table)}\n`)
    }
    if (write) writeTable(table, where)
  }
}
