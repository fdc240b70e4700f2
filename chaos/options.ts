import { parseArgs } from 'node:util'
import { faults, type NamedFault } from './faults/index.ts'
import type { HomeName } from './homes/home.ts'
import { homes } from './homes/index.ts'

export const help = `Usage: npm run chaos -- [options]

Breaks real servers, stores, disks and networks under load, and counts what happened twice.

  --short            a cell or two for each kind of fault, in under two minutes
  --store NAME       only this store (repeatable): ${Object.keys(homes).join(', ')}
  --fault NAME       only this fault (repeatable); --list names them
  --seed N           where chance begins (default: a new one, which is printed)
  --calm SECONDS     load before and after each fault (default: 3; with --short 0.7)
  --clients N        clients at a time (default: 24; with --short 8)
  --library NAME     judge this server of bench/peers/servers instead, or "none": no protection at all
  --previous FOLDER  a rolling deploy begins with this unpacked release instead of these sources
  --json             one JSON object for each cell, on standard output
  --markdown FILE    writes the table into FILE, between its markers
  --html FILE        writes a page with a timeline for each cell
  --list             says which cells there are, and ends

Exit code: 0 when every promise held, 1 when one was broken, 2 for wrong options.
`

export interface ChaosOptions {
  readonly cells: readonly Cell[]
  readonly seed: number
  readonly calmMs: number
  readonly clients: number
  readonly idleClients: number
  readonly library: string
  readonly previous: string | undefined
  readonly isJson: boolean
  readonly isList: boolean
  readonly markdown: string | undefined
  readonly html: string | undefined
}

export interface Cell {
  readonly home: HomeName
  readonly fault: NamedFault
}

export class WrongOption extends Error {}

/** @throws {WrongOption} One sentence that names the option. */
export function readOptions(args: readonly string[]): ChaosOptions | 'help' {
  const values = parse(args)
  if (values.help === true) return 'help'
  const isShort = values.short === true
  return {
    cells: chooseCells(values.store ?? [], values.fault ?? [], isShort),
    seed: integer('--seed', values.seed) ?? Math.floor(Math.random() * 2 ** 31),
    calmMs: 1_000 * (number('--calm', values.calm) ?? (isShort ? 0.7 : 3)),
    clients: integer('--clients', values.clients) ?? (isShort ? 8 : 24),
    idleClients: isShort ? 600 : 10_000,
    library: values.library ?? 'hapax',
    previous: values.previous,
    isJson: values.json === true,
    isList: values.list === true,
    markdown: values.markdown,
    html: values.html,
  }
}

const spelled = {
  help: { type: 'boolean' },
  short: { type: 'boolean' },
  store: { type: 'string', multiple: true },
  fault: { type: 'string', multiple: true },
  seed: { type: 'string' },
  calm: { type: 'string' },
  clients: { type: 'string' },
  library: { type: 'string' },
  previous: { type: 'string' },
  json: { type: 'boolean' },
  markdown: { type: 'string' },
  html: { type: 'string' },
  list: { type: 'boolean' },
} as const

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: spelled }).values
  } catch (error) {
    throw new WrongOption(error instanceof Error ? error.message : String(error))
  }
}

/** One cell for each kind of thing that breaks, on the store that makes it hardest. */
const shortCells: ReadonlyArray<readonly [HomeName, string]> = [
  ['memory', 'clock jumps'],
  ['sqlite', 'server killed'],
  ['sqlite', 'disk full'],
  ['redis', 'server stopped'],
  ['redis', 'answers held back'],
  ['redis', 'store killed'],
  ['redis', 'idle clients'],
  ['sentinel', 'failover'],
  ['cluster', 'slots moved'],
  ['postgres', 'store killed'],
  ['postgres', 'rolling deploy'],
]

function chooseCells(stores: readonly string[], wanted: readonly string[], isShort: boolean): Cell[] {
  for (const store of stores) refuseUnknown('--store', store, Object.keys(homes))
  for (const fault of wanted) {
    refuseUnknown(
      '--fault',
      fault,
      faults.map(({ name }) => name),
    )
  }
  const cells = faults.flatMap((fault) => fault.homes.map((home) => ({ home, fault })))
  const chosen = cells.filter(
    ({ home, fault }) =>
      (stores.length === 0 || stores.includes(home)) &&
      (wanted.length === 0 || wanted.includes(fault.name)) &&
      (!isShort || shortCells.some(([store, name]) => store === home && name === fault.name)),
  )
  if (chosen.length === 0) throw new WrongOption('No cell is left: --list says which there are.')
  return chosen
}

function refuseUnknown(option: string, value: string, known: readonly string[]): void {
  if (!known.includes(value)) {
    throw new WrongOption(`${option} ${value} is not known. Known: ${known.join(', ')}.`)
  }
}

function number(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0) throw new WrongOption(`${option} needs a number, not "${text}".`)
  return value
}

function integer(option: string, text: string | undefined): number | undefined {
  const value = number(option, text)
  if (value !== undefined && !Number.isInteger(value)) {
    throw new WrongOption(`${option} needs a whole number, not "${text}".`)
  }
  return value
}
