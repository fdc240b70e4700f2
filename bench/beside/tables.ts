import type { Settings } from '../options.ts'
import { chartOfSamples, columns, rowsOf } from '../report.ts'
import type { Table } from '../table.ts'
import type { Group } from '../variants.ts'
import { measureBeside } from './measure.ts'

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
      'First requests, each store on the same machine as the server. SQLite runs with `synchronous = FULL`: what it has acknowledged\n' +
      'survives a crash of the machine. This Redis keeps nothing on disk. Held to: at least as many requests a second as Redis (1.00).',
    rounds: 15,
    requests: 2_000,
  },
}

/** A table for each number of connections. */
export async function besideTables(group: Group, settings: Settings): Promise<Table[]> {
  const { heading, intro, ...usual } = words[group]
  const { rounds, levels } = await measureBeside(group, settings, usual)
  return levels.map(({ connections, requests, samples }) => {
    const said = `${connections} ${connections === 1 ? 'connection' : 'connections'}`
    const usualLevel = connections === 64
    const name = usualLevel ? group : `${group}, ${said}`
    return {
      name,
      heading: usualLevel ? heading : `${heading}, ${said}`,
      intro: usualLevel ? intro : '',
      ...(!usualLevel && { follows: group }),
      setting: `${rounds} rounds of ${requests} requests, ${said}; medians`,
      columns,
      rows: rowsOf(samples),
      chart: chartOfSamples(`CPU µs a request: ${name}`, samples),
    }
  })
}
