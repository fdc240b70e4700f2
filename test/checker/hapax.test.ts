import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { allCases } from '../../src/checker/cases/index.ts'
import { type CaseResult, classOf } from '../../src/checker/model.ts'
import { type CheckOptions, type CheckReport, runCheck } from '../../src/checker/run.ts'
import { startOwnRedis } from '../../scripts/services/index.ts'
import { runCli, startCli } from '../cli/run-cli.ts'
import { servers } from '../support/servers.ts'
import { memorySite, redisSite, type Site, sqliteSite } from './site/site.ts'

// The list, run on hapax itself: on the Express adapter with each store, and on the demo. Most of the time is
// waiting, so the shops are judged side by side.

// Tells whether this machine has a Redis: each shop starts one of its own, since one row stops it.
const redis = await servers(startOwnRedis)
await redis?.stop()

const stores: Record<string, () => Promise<Site>> = {
  memory: memorySite,
  SQLite: sqliteSite,
  ...(redis !== undefined && { Redis: redisSite }),
}

/** All rows, and a crowd that two cores can bear: the full profile sends 500 at once. */
const everyClass = [...new Set(allCases.map(({ id }) => classOf(id)))]

/** Ten and twenty seconds, whatever the store. */
const needsPatience = ['FID-02', 'LRG-02']

/** Looks for a gap of milliseconds, which four shops at once would hide. */
const needsQuiet = ['CON-10']

const page = readFileSync(new URL('../../docs/conformance.md', import.meta.url), 'utf8')

for (const [name, start] of Object.entries(stores)) {
  test.concurrent(`Express on ${name} passes every row that applies, and the docs say which do not`, {
    timeout: 180_000,
  }, async ({ expect: expectHere }) => {
    const report = await judge(await start(), { only: everyClass, skip: [...needsQuiet, ...needsPatience] })
    expectHere(oddRows(report)).toEqual([])
    expectHere(idsOf(report, 'skipped')).toEqual(skippedOn(name))
    expectHere(idsOf(report, 'report')).toEqual(documented.map(({ id }) => id))
    for (const { id, says } of documented) expectHere(summaryOf(report, id)).toContain(says)
  })
}

for (const [name, start] of Object.entries(stores)) {
  test.concurrent(`Express on ${name} passes the rows that take their time`, { timeout: 180_000 }, async ({
    expect: expectHere,
  }) => {
    expectHere(verdicts(await judge(await start(), { only: needsPatience }))).toEqual(passing(needsPatience))
  })
}

test.concurrent('the demo has no failure and nothing inconclusive', { timeout: 120_000 }, async ({
  expect: expectHere,
}) => {
  const { counts, odd, exitCode } = await checkDemo('--skip', needsQuiet.join())
  expectHere(odd).toEqual([])
  expectHere(counts).toMatchObject({ fail: 0, warn: 0, inconclusive: 0, skipped: 4 })
  expectHere(exitCode).toBe(0)
})

for (const [name, start] of Object.entries(stores)) {
  test(`Express on ${name} passes the row that needs the machine for itself`, {
    timeout: 60_000,
  }, async () => {
    expect(verdicts(await judge(await start(), { only: needsQuiet }))).toEqual(passing(needsQuiet))
  })
}

test('so does the demo', { timeout: 60_000 }, async () => {
  const { odd, exitCode } = await checkDemo('--only', needsQuiet.join())
  expect({ odd, exitCode }).toEqual({ odd: [], exitCode: 0 })
})

test('the docs explain every departure with a row of the list', () => {
  expect(documented.length).toBeGreaterThan(8)
  expect(new Set(documented.map(({ id }) => id)).size).toBe(documented.length)
})

interface DemoVerdict {
  readonly counts: Record<string, number>
  readonly odd: readonly string[]
  readonly exitCode: number | null
}

/** The command, as its user types it. */
async function checkDemo(...options: readonly string[]): Promise<DemoVerdict> {
  const demo = startCli('demo', '--port', '0', '--json')
  const closed = once(demo, 'close')
  try {
    const { url } = await firstLine(demo.stdout)
    const order = ['--data', '{"item":"book","quantity":1}', '--slow', 'demo-work-ms: {{ms}}']
    const { exitCode, stdout } = await runCli(
      'check',
      `${url}/orders`,
      ...order,
      '--strict',
      '--json',
      ...options,
    )
    // The checker's own format.
    const { counts, rows } = JSON.parse(stdout) as { counts: Record<string, number>; rows: RowJson[] }
    const odd = rows.filter(({ verdict }) => !['pass', 'skipped'].includes(verdict))
    return { counts, exitCode, odd: odd.map(({ id, verdict, summary }) => `${id} ${verdict}: ${summary}`) }
  } finally {
    demo.kill('SIGTERM')
    await closed
  }
}

interface RowJson {
  readonly id: string
  readonly verdict: string
  readonly summary: string
}

async function judge(site: Site, rows: Pick<CheckOptions, 'only' | 'skip'>): Promise<CheckReport> {
  try {
    return await runCheck({
      ...site.options,
      ...rows,
      jobs: 16,
      slowMs: 500,
      rounds: 8,
      maxEffects: 2000,
      // Nothing here is about how fast two busy cores answer.
      timeoutMs: 60_000,
    })
  } finally {
    await site.close()
  }
}

/** `FID-02 pass`; where it is another verdict, with what was seen. */
function verdicts({ results }: CheckReport): string[] {
  return results.map(({ case: { id }, verdict, summary }) =>
    verdict === 'pass' ? `${id} pass` : `${id} ${verdict}: ${summary}`,
  )
}

function passing(rows: readonly string[]): string[] {
  return rows.map((id) => `${id} pass`)
}

function oddRows({ results }: CheckReport): string[] {
  return results
    .filter(({ verdict }) => !['pass', 'report', 'skipped'].includes(verdict))
    .map(({ case: { id }, verdict, summary }) => `${id} ${verdict}: ${summary}`)
}

function idsOf(report: CheckReport, verdict: CaseResult['verdict']): string[] {
  return report.results.filter((result) => result.verdict === verdict).map((result) => result.case.id)
}

function summaryOf(report: CheckReport, id: string): string {
  return report.results.find((result) => result.case.id === id)?.summary ?? ''
}

/** The rows that hapax's choices are reported in: `| SYN-09 | `refused with 400` | why |`. */
const documented = tableUnder('### What is reported').map(([id = '', says = '']) => ({
  id,
  says: /`([^`]+)`/.exec(says)?.[1] ?? 'nothing in backticks',
}))

function skippedOn(store: string): string[] {
  return tableUnder('### What is left out')
    .filter(([, where = '']) => where === 'all' || where.split(', ').includes(store))
    .map(([id = '']) => id)
}

function tableUnder(heading: string): string[][] {
  const section = page.split(`${heading}\n`)[1]?.split('\n#')[0] ?? ''
  return section
    .split('\n')
    .filter((line) => /^\| [A-Z]+-\d\d/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    )
}

async function firstLine(stream: NodeJS.ReadableStream | null): Promise<{ url: string }> {
  if (stream === null) throw new Error('The demo has no output.')
  const [line] = await once(createInterface(stream), 'line')
  // Printed by the demo for programs.
  return JSON.parse(String(line)) as { url: string }
}
