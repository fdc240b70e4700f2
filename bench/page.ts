import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chartOf } from './chart.ts'
import { markdownOf, type Table } from './table.ts'

const docs = join(import.meta.dirname, '../docs')
/** Where sections go that have no other place. */
const anchor = '<!-- bench: new tables stand above this line -->'

/** Puts a table, its circumstances and its chart into its page of the docs, with a section around it if there is none. */
export function writeTable(table: Table, circumstances: string): void {
  const page = join(docs, pageOf(table))
  writeFileSync(page, placed(readFileSync(page, 'utf8'), table, circumstances))
  if (table.chart !== undefined) writeFileSync(join(docs, chartFileOf(table)), chartOf(table.chart))
}

/** The page's text with the table in it, in the place of an earlier one of that name. */
export function placed(text: string, table: Table, circumstances: string): string {
  const [begin, end] = markersOf(table.name)
  const [before = '', rest] = withSection(text, table).split(begin)
  const after = rest?.split(end)[1]
  if (after === undefined)
    throw new Error(`docs/${pageOf(table)} has ${begin} without ${end} behind it: put it there.`)
  return `${before}${begin}\n\n${circumstances}\n\n${markdownOf(table)}\n\n${end}${after}`
}

function withSection(text: string, table: Table): string {
  const [begin, end] = markersOf(table.name)
  if (text.includes(begin)) return text
  const chart = table.chart && `![${table.chart.title}](${chartFileOf(table)})`
  const section = [`## ${table.heading}`, table.intro, chart, `${begin}\n${end}`]
    .filter((part) => part !== undefined && part !== '')
    .join('\n\n')
  const place = table.follows === undefined ? undefined : markersOf(table.follows)[1]
  if (place !== undefined && text.includes(place)) return text.replace(place, () => `${place}\n\n${section}`)
  if (!text.includes(anchor))
    throw new Error(`docs/${pageOf(table)} lacks the line ${anchor}: put it where new tables belong.`)
  return text.replace(anchor, () => `${section}\n\n${anchor}`)
}

function pageOf({ page = 'benchmarks.md' }: Table): string {
  return page
}

function markersOf(name: string): [begin: string, end: string] {
  return [`<!-- bench ${name}: begin -->`, `<!-- bench ${name}: end -->`]
}

function chartFileOf({ name }: Table): string {
  return `bench-${name.replaceAll(/\W+/g, '-')}.svg`
}
