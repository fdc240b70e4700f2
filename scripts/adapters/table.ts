import { readFileSync } from 'node:fs'
import { type AdapterSubject, extentOf } from '../../src/testing/adapter.ts'
import { adapterSubjects } from '../../test/support/adapters/index.ts'
import type { Outcome } from './run-contract.ts'

export const storeNames = ['memory', 'SQLite', 'Redis', 'Postgres'] as const
export type StoreName = (typeof storeNames)[number]

/** By adapter and store. */
export type Outcomes = ReadonlyMap<string, ReadonlyMap<StoreName, Outcome>>

/** The outcomes where every case that applies passes, which is what the page may say. */
export function allPassing(): Outcomes {
  return new Map(
    adapterSubjects.map((subject) => {
      const outcome = { passed: extentOf(subject).fitting, failed: 0 }
      return [subject.name, new Map(storeNames.map((store) => [store, outcome]))]
    }),
  )
}

/** The table of docs/adapters.md, in Markdown, and the reasons for what is left out. */
export function adapterTable(outcomes: Outcomes): string {
  const head = ['adapter', 'import', 'lines', ...storeNames, 'left out']
  const reasons = [...new Set(adapterSubjects.flatMap((subject) => [...extentOf(subject).leftOut.keys()]))]
  const rows = adapterSubjects.map((subject) => {
    const file = fileOf(subject)
    const cells = storeNames.map((store) => cellOf(outcomes.get(subject.name)?.get(store)))
    const left = [...extentOf(subject).leftOut].map(
      ([reason, count]) => `${count} (${reasons.indexOf(reason) + 1})`,
    )
    return [subject.name, `\`hapax/${file}\``, linesOf(file), ...cells, left.join(', ') || '–']
  })
  const lines = [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  const why = reasons.map(
    (reason, index) => `${index + 1}. ${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`,
  )
  return `${lines.join('\n')}\n\nWhy cases are left out:\n\n${why.join('\n')}\n`
}

function cellOf(outcome: Outcome | undefined): string {
  if (outcome === undefined) return 'not run'
  return outcome.failed === 0 ? `${outcome.passed}` : `**${outcome.failed} failed**, ${outcome.passed} passed`
}

/** The source of a subject's adapter: the first word of its name, but for bare Node. */
function fileOf({ name }: AdapterSubject): string {
  return /^\w+/.exec(name)?.[0].toLowerCase() ?? name
}

/** Lines that hold code: neither empty nor comment. */
function linesOf(file: string): number {
  const text = readFileSync(new URL(`../../src/adapters/${file}.ts`, import.meta.url), 'utf8')
  return text.split('\n').filter((line) => /\S/.test(line) && !/^\s*(\/\/|\/\*|\*)/.test(line)).length
}
