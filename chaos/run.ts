// `npm run chaos`: every store under every fault, on real parts. --help says the rest.
import { setTimeout as sleep } from 'node:timers/promises'
import { ServiceMissing } from '../scripts/services/index.ts'
import { type CellResult, runCell } from './cell.ts'
import { type Cell, type ChaosOptions, help, readOptions, WrongOption } from './options.ts'
import { writePage } from './report/page.ts'
import { lineOf, writeTable } from './report/table.ts'

try {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') process.stdout.write(help)
  else if (options.isList) list(options.cells)
  else process.exitCode = await run(options)
} catch (error) {
  if (!(error instanceof WrongOption) && !(error instanceof ServiceMissing)) throw error
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 2
}

function list(cells: readonly Cell[]): void {
  for (const { home, fault } of cells) process.stdout.write(`--store ${home} --fault "${fault.name}"\n`)
}

async function run(options: ChaosOptions): Promise<number> {
  const { cells, seed } = options
  say(`${cells.length} cells, seed ${seed}, Node ${process.version}`)
  const results: CellResult[] = []
  for (const [index, cell] of cells.entries()) {
    if (process.stderr.isTTY) say(`${index + 1}/${cells.length} ${cell.home}, ${cell.fault.name} …`)
    const result = await runCell({
      ...cell,
      seed,
      calmMs: options.calmMs,
      clients: options.clients,
      idleClients: options.idleClients,
      library: options.library,
      ...(options.previous !== undefined && { previousRelease: options.previous }),
    })
    results.push(result)
    if (options.isJson) process.stdout.write(`${JSON.stringify(result)}\n`)
    say(lineOf(result))
    for (const finding of result.findings) say(`    BROKEN: ${finding}`)
    if (result.findings.length > 0) say(`    again: ${commandFor(result, options)}`)
    // The next cell's first moments must not pay for the end of this one's processes.
    await sleep(50)
  }
  if (options.markdown !== undefined) writeTable(options.markdown, results)
  if (options.html !== undefined) writePage(options.html, results)
  return sum(results)
}

function sum(results: readonly CellResult[]): number {
  const total = (count: (result: CellResult) => number) =>
    results.reduce((sofar, result) => sofar + count(result), 0)
  const broken = results.filter(({ findings }) => findings.length > 0).length
  say(
    `${total(({ account }) => account.requests)} requests, ` +
      `${total(({ account }) => account.duplicates)} of them duplicates; ` +
      `${total(({ account }) => account.secondEffects)} second effects; ` +
      `${broken} of ${results.length} cells broke a promise`,
  )
  return broken === 0 ? 0 : 1
}

function commandFor({ store, fault, seed }: CellResult, { library, calmMs, clients }: ChaosOptions): string {
  const judged = library === 'hapax' ? '' : ` --library ${library}`
  return `npm run chaos -- --store ${store} --fault "${fault}" --seed ${seed} --calm ${calmMs / 1_000} --clients ${clients}${judged}`
}

/** Progress goes beside the results: standard output is for `--json`. */
function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
