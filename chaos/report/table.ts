import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import type { CellResult } from '../cell.ts'

const columns: ReadonlyArray<readonly [title: string, cell: (result: CellResult) => string | number]> = [
  ['store', ({ store }) => store],
  ['fault', ({ fault }) => fault],
  ['requests', ({ account }) => account.requests],
  ['duplicates', ({ account }) => account.duplicates],
  ['second effects', ({ account }) => account.secondEffects],
  ['unknown', ({ account }) => account.unknown],
  ['stuck', ({ account }) => account.stuck],
  ['slowest answer, ms', ({ account }) => account.slowestAnswerMs],
  ['back after, ms', ({ account }) => account.recoveryMs],
  ['promises', ({ findings }) => (findings.length === 0 ? 'held' : findings.map(inShort).join('; '))],
]

/** Without the example or the last words that follow it. */
function inShort(finding: string): string {
  return finding.split(/, as: |: |\n/, 1)[0] ?? finding
}

/** One line for a terminal. */
export function lineOf({ store, fault, account, findings }: CellResult): string {
  const verdict = findings.length === 0 ? 'held  ' : 'BROKEN'
  return (
    `${verdict} ${store.padEnd(9)} ${fault.padEnd(22)} ${account.requests} requests, ` +
    `${account.duplicates} duplicates, ${account.secondEffects} second effects, ${account.unknown} unknown, ` +
    `${account.stuck} stuck, slowest ${account.slowestAnswerMs} ms, back after ${account.recoveryMs} ms`
  )
}

/** Puts the table into `file`, between the markers of the library that was judged. */
export function writeTable(file: string, results: readonly CellResult[]): void {
  const library = results[0]?.library ?? 'hapax'
  const [begin, end] = [`<!-- chaos ${library}: begin -->`, `<!-- chaos ${library}: end -->`]
  const text = readFileSync(file, 'utf8')
  const [before, rest] = text.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined)
    throw new Error(`${file} lacks the markers ${begin} and ${end}.`)
  writeFileSync(file, `${before}${begin}\n\n${provenance(results)}\n\n${tableOf(results)}\n\n${end}${after}`)
}

/** When, where and on what the figures were taken. */
export function provenance(results: readonly CellResult[]): string {
  const versions = [...new Set(results.map(({ version }) => version))].join('; ')
  const cpu = cpus()[0]?.model ?? 'unknown processor'
  return (
    `${new Date().toISOString().slice(0, 10)}, commit ${commit()}, seed ${results[0]?.seed}, Node ${process.version}, ` +
    `${cpus().length} cores (${cpu}). ${versions}.`
  )
}

function tableOf(results: readonly CellResult[]): string {
  const rows = [
    columns.map(([title]) => title),
    columns.map(() => '---'),
    ...results.map((result) => columns.map(([, cell]) => String(cell(result)))),
  ]
  return rows.map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

function commit(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim()
  } catch {
    return 'unknown'
  }
}
