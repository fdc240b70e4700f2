import { parseArgs } from 'node:util'
import { besideFloors, type GroupName, groupNames } from './groups.ts'

/** What a run was asked for; what is undefined, each group has its own default for. */
export interface Settings {
  readonly rounds: number | undefined
  readonly requests: number | undefined
  /** Requests of the first round, which is not counted. */
  readonly warmUp: number | undefined
  readonly connections: readonly number[]
  /** Takes variants by a part of their names. */
  readonly only: string
  /** To see that it works, not how fast. */
  readonly quick: boolean
}

export interface Wanted {
  /** Undefined: all of them. */
  readonly group: GroupName | undefined
  readonly settings: Settings
  readonly json: boolean
  readonly write: boolean
}

/** Exits with the help where that is asked for. */
export function readOptions(): Wanted {
  const { values } = parseArgs({
    options: {
      group: { type: 'string' },
      rounds: { type: 'string' },
      requests: { type: 'string' },
      'warm-up': { type: 'string' },
      connections: { type: 'string' },
      only: { type: 'string', default: '' },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(help)
    process.exit(0)
  }
  const group = values.group === undefined ? undefined : groupOf(values.group)
  const single = [values.rounds, values.requests, values['warm-up']].some((value) => value !== undefined)
  if (group === undefined && single) {
    throw new Error(
      '--rounds, --requests and --warm-up belong to one table: name it with --group, or use --quick.',
    )
  }
  const chosen = values.only !== '' || values.connections !== undefined
  if (chosen && !besideFloors.some((name) => name === group)) {
    throw new Error(`--only and --connections belong to ${besideFloors.join(', ')}: name one with --group.`)
  }
  if (values.write && values.only !== '') {
    throw new Error(
      '--only leaves variants out, which would leave the docs without them: take it without --write.',
    )
  }
  return {
    group,
    settings: {
      rounds: wholeNumber('rounds', values.rounds) ?? (values.quick ? 2 : undefined),
      requests: wholeNumber('requests', values.requests) ?? (values.quick ? 300 : undefined),
      warmUp: wholeNumber('warm-up', values['warm-up']),
      connections: (values.connections ?? '64')
        .split(',')
        .map((text) => wholeNumber('connections', text) ?? 64),
      only: values.only,
      quick: values.quick,
    },
    json: values.json,
    write: values.write || (group === undefined && !values.quick),
  }
}

function groupOf(text: string): GroupName {
  const name = groupNames.find((candidate) => candidate === text)
  if (name === undefined) throw new Error(`--group: ${text} is not one of ${groupNames.join(', ')}.`)
  return name
}

function wholeNumber(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${option}: ${text} is not a whole number above 0.`)
  return value
}

const help = `Usage: npm run bench -- [options]

Without options: every table, printed and written into docs/benchmarks.md with its chart; below 25 minutes.

  --group <name>     one table only, printed:
                     stores, frameworks, peers   beside their bare floors
                     embedded                    SQLite (FULL) beside Redis
                     bodies, duplicates, leases  how cost grows
                     records                     commands and bytes, by store
                     import                      time and size of importing hapax
  --write            write it into docs/benchmarks.md too
  --rounds <n>       rounds; each asks every variant once
  --requests <n>     requests of a variant in a round
  --warm-up <n>      requests before the first round (default 20000; 1000 with --requests below 500)
  --connections <n>  at once, several with commas between: stores, frameworks, peers, embedded (default 64)
  --only <text>      variants with this in their names, and their floors
  --quick            two short rounds, to see that it works; writes nothing by itself
  --json             print JSON
  --help`
