import type { Settings } from '../options.ts'
import { chartOfSamples, columns, rowsOf } from '../report.ts'
import type { Cell, Table } from '../table.ts'
import type { Group } from '../variants.ts'
import { type Level, measureBeside } from './measure.ts'

interface Words {
  readonly heading: string
  readonly intro: string
  readonly rounds: number
  readonly requests: number
}

const words: Readonly<Record<Group, Words>> = {
  stores: { heading: 'Stores', intro: '', rounds: 9, requests: 1_000 },
  frameworks: {
    heading: 'Frameworks',
    intro: 'On the memory store, so that its cost is small.',
    rounds: 9,
    requests: 1_000,
  },
  peers: {
    heading: 'Peers',
    intro: 'On Redis, with the handler of [bench/peers](../bench/peers).',
    rounds: 9,
    requests: 1_000,
  },
  embedded: {
    heading: 'SQLite beside Redis',
    intro:
      'First requests, each store on the same machine as the server. What SQLite has acknowledged survives a crash of the machine.\n' +
      'This Redis keeps nothing on disk. Held to: at least as many requests a second as Redis (1.00).',
    rounds: 15,
    requests: 2_000,
  },
}

/** A table for each number of connections. */
export async function besideTables(group: Group, settings: Settings): Promise<Table[]> {
  const { heading, intro, ...usual } = words[group]
  const { rounds, levels } = await measureBeside(group, settings, usual)
  const tables = levels.map(({ connections, requests, samples }) => {
    const said = `${connections} ${connections === 1 ? 'connection' : 'connections'}`
    const usualLevel = connections === 64
    const name = usualLevel ? group : `${group}, ${said}`
    return {
      name,
      heading: usualLevel ? heading : `${heading}, ${said}`,
      intro: usualLevel ? intro : '',
      ...followed(group, usualLevel),
      setting: `${rounds} rounds of ${requests} requests, ${said}; medians`,
      columns,
      rows: rowsOf(samples),
      chart: chartOfSamples(`CPU µs a request: ${name}`, samples),
    }
  })
  return levels.length > 1 ? [...tables, sideBySide(group, rounds, levels)] : tables
}

function followed(group: Group, usualLevel: boolean): { follows?: string } {
  if (!usualLevel) return { follows: group }
  return group === 'embedded' ? { follows: 'peers' } : {}
}

/** What grows with the number of connections, and whether it grows alike on the floor. */
function sideBySide(group: Group, rounds: number, levels: readonly Level[]): Table {
  const byConnections = levels.toSorted((one, other) => one.connections - other.connections)
  const rowsOfLevels = byConnections.map(({ samples }) => rowsOf(samples))
  const compared = ['CPU µs', 'requests ÷ floor', 'p99 ÷ floor']
  const variants = rowsOfLevels[0]?.map(([variant = '']) => variant) ?? []
  return {
    name: `${group}, by connections`,
    heading: `${words[group].heading}, by connections`,
    intro: `The tables of ${group} side by side, measured in one run: the number is that of the connections.`,
    follows: group,
    setting: `${rounds} rounds; medians`,
    columns: [
      'variant',
      ...compared.flatMap((column) => byConnections.map(({ connections }) => `${column}, ${connections}`)),
    ],
    rows: variants.map((variant, index): Cell[] => [
      variant,
      ...compared.flatMap((column) =>
        rowsOfLevels.map((rows) => rows[index]?.[columns.indexOf(column)] ?? '–'),
      ),
    ]),
  }
}
