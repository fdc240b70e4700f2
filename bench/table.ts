import type { Chart } from './chart.ts'

/** One table of the benchmark: printed, and put into the docs under its name. */
export interface Table {
  /** Names the markers in the docs and the chart's file. */
  readonly name: string
  readonly heading: string
  /** What a reader must know to read it. Stands in the docs once the section is there, and may be edited there. */
  readonly intro: string
  /** The section to stand behind when the docs do not have this one yet. */
  readonly follows?: string
  /** Rounds, requests and whatever else it was measured with. */
  readonly setting: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Cell[])[]
  readonly chart?: Chart
  /** The file in docs/ that it stands in. Default: benchmarks.md. */
  readonly page?: string
}

/** Numbers stand at the right. */
export type Cell = string | number

export function markdownOf({ columns, rows }: Table): string {
  const rules = columns.map((_, index) =>
    rows.some((row) => typeof row[index] === 'number') ? '--:' : '---',
  )
  const told = rows.map((row) => row.map((cell, index) => toldAs(cell, columns[index] ?? '')))
  return [columns, rules, ...told].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** Ratios of one column have as many digits. */
function toldAs(cell: Cell, column: string): Cell {
  return typeof cell === 'number' && column.includes('÷') ? cell.toFixed(2) : cell
}

/** Each row under its columns' names. */
export function objectsOf({ columns, rows }: Table): object[] {
  return rows.map((row) => Object.fromEntries(row.map((cell, index) => [columns[index] ?? index, cell])))
}

/** Three digits, as far as a measurement carries. */
export function rounded(value: number): number {
  return Number(value >= 100 ? value.toFixed(0) : value.toPrecision(3))
}
