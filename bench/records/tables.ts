import { smallOrder } from '../load.ts'
import type { Settings } from '../options.ts'
import { progress } from '../progress.ts'
import type { Table } from '../table.ts'
import type { RecordCost } from './cost.ts'
import { postgresCosts } from './postgres.ts'
import { redisCosts } from './redis.ts'
import { sqliteCosts } from './sqlite.ts'

/** Client commands and bytes, by store: counted by the stores' servers, so that load does not change them. */
export async function recordTables(settings: Settings): Promise<Table[]> {
  const requests = settings.requests ?? 5_000
  const costs: RecordCost[] = []
  for (const measure of [redisCosts, postgresCosts, sqliteCosts]) costs.push(...(await measure(requests)))
  progress('')
  const answerBytes = JSON.stringify({ id: 'ord_1', ...JSON.parse(smallOrder), status: 'paid' }).length
  return [
    {
      name: 'records',
      heading: 'Commands and bytes, by store',
      intro:
        `Express behind hapax, an answer of ${answerBytes} bytes. **Commands** are what the client sends (Redis: MONITOR without what scripts\n` +
        'run), counted by the store, as are the bytes; **bytes kept** are those of one record: MEMORY USAGE, the table with its indexes,\n' +
        'the file. A record of [capacity.md](capacity.md) is smaller: it has one header. A dash: not there to measure.',
      setting: `${requests} requests of each kind`,
      columns: [
        'store',
        'request',
        'commands',
        'counted by the store',
        'bytes to it',
        'bytes from it',
        'write-ahead log',
        'bytes kept',
      ],
      rows: costs.map((cost) => [
        cost.store,
        cost.traffic === 'first' ? 'first' : 'replay',
        cost.commands === undefined ? '–' : Number(cost.commands.toFixed(1)),
        cost.counted,
        wholeOrDash(cost.bytesToStore),
        wholeOrDash(cost.bytesFromStore),
        wholeOrDash(cost.bytesLogged),
        wholeOrDash(cost.bytesKept),
      ]),
    },
  ]
}

function wholeOrDash(value: number | undefined): number | string {
  return value === undefined ? '–' : Math.round(value)
}
