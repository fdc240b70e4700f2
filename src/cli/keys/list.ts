import type { Inspection } from '../../core/store.ts'
import { type KeyFilter, search } from './search.ts'
import { type KeySummary, summaryOf } from './summary.ts'
import { spanOf, stateWord } from './words.ts'

export async function listKeys(
  inspect: Inspection,
  filter: KeyFilter,
  { limit, json = false }: { readonly limit: number; readonly json?: boolean },
): Promise<void> {
  const summaries: KeySummary[] = []
  let more = false
  for await (const found of search(inspect, filter)) {
    more = summaries.length === limit
    if (more) break
    summaries.push(summaryOf(found, Date.now()))
  }
  if (json) return console.log(JSON.stringify({ keys: summaries, more }, undefined, 2))
  if (summaries.length === 0) return console.log('No such keys.')
  const scopes = Math.max(5, ...summaries.map(({ scope = '–' }) => scope.length))
  console.log(
    ['STATE'.padEnd(10), 'AGE'.padEnd(5), 'SCOPE'.padEnd(scopes), 'ID'.padEnd(43), 'KEY'].join('  '),
  )
  for (const summary of summaries) console.log(lineOf(summary, scopes))
  if (more) console.log(`More than ${limit}: narrow the search, or raise --limit.`)
}

function lineOf({ state, ageMs, scope = '–', id, key, status, reason }: KeySummary, scopes: number): string {
  const detail = reason ?? (status === undefined ? '' : `  (${status})`)
  return [
    stateWord(state, 10),
    spanOf(ageMs).padEnd(5),
    scope.padEnd(scopes),
    id.padEnd(43),
    `${key ?? (reason === undefined ? '(not stored)' : '')}${detail}`,
  ].join('  ')
}
