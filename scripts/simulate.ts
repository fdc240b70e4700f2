// Lives through many simulated worlds on all cores, and tells the story of the first that breaks a promise.
// See docs/simulation.md.
import { once } from 'node:events'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { judge } from '../test/simulation/judge.ts'
import { exploreScenario, storyOfBug } from '../test/simulation/model/check.ts'
import { scenarios } from '../test/simulation/model/scenarios.ts'
import { seededBugs } from '../test/simulation/seeded-bugs.ts'
import { shrink, type Shrunk, storyOf } from '../test/simulation/shrink.ts'
import { noTally, sum, type Tally, tallyOf } from '../test/simulation/tally.ts'
import { planOf } from '../test/simulation/world/plan.ts'
import { buggySubject } from '../test/simulation/world/rules-store.ts'
import { realSubject, simulate, type Subject } from '../test/simulation/world/simulate.ts'

const help = `Usage: npm run simulate -- [options]

  --seeds <n>     how many worlds to live through (default 10000)
  --from <seed>   the first seed (default 0)
  --seed <seed>   one world only: prints everything that happens in it
  --workers <n>   threads (default: one for each core)
  --bug <name>    put a seeded bug into the store instead of testing the real one
  --model         explore the model instead, and tell how it finds each seeded bug
  --json          print the result as JSON
  --help

Ends with code 1 if a promise is broken, after the seed and a shrunken story.

Seeded bugs: ${seededBugs.map(({ name }) => name).join(', ')}`

/** Errors are thrown by the ten thousand here, and nobody reads where. */
Error.stackTraceLimit = 0

const seedsPerChunk = 500
let printedMs = 0

interface Chunk {
  readonly from: number
  readonly seeds: number
  readonly bug: string | undefined
}

interface ChunkResult {
  readonly tally: Tally
  readonly brokenSeed: number | undefined
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string', default: '10000' },
      from: { type: 'string', default: '0' },
      seed: { type: 'string' },
      workers: { type: 'string', default: String(availableParallelism()) },
      bug: { type: 'string' },
      model: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(help)
    return 0
  }
  if (values.model) return exploreAll()
  const { bug, json } = values
  if (values.seed !== undefined) return tellSeed(wholeNumber(values.seed, 'seed'), subjectOf(bug))
  const [from, seeds] = [wholeNumber(values.from, 'from'), wholeNumber(values.seeds, 'seeds')]
  return campaign({ from, seeds, bug }, wholeNumber(values.workers, 'workers'), json)
}

function wholeNumber(text: string, option: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new RangeError(`--${option} must be a whole number; received "${text}".`)
}

function subjectOf(name: string | undefined): Subject {
  if (name === undefined) return realSubject
  const bug = seededBugs.find((candidate) => candidate.name === name)
  if (bug === undefined) throw new RangeError(`There is no seeded bug "${name}".`)
  return buggySubject(bug)
}

// ---- many worlds

async function campaign(all: Chunk, workers: number, json: boolean): Promise<number> {
  const startedMs = performance.now()
  const result = await inParallel(all, Math.max(1, workers), (tally) => {
    if (!json) progress(tally, all.seeds, startedMs)
  })
  const seconds = (performance.now() - startedMs) / 1000
  const subject = subjectOf(all.bug)
  const shrunk =
    result.brokenSeed === undefined ? undefined : await shrink(planOf(result.brokenSeed), subject)
  if (json) printJson(result, all, seconds, shrunk)
  else printTables(result.tally, seconds)
  if (result.brokenSeed === undefined) return 0
  if (!json) await tellShrunk(result.brokenSeed, shrunk, subject)
  return 1
}

async function inParallel(
  all: Chunk,
  workers: number,
  onProgress: (tally: Tally) => void,
): Promise<ChunkResult> {
  const end = all.from + all.seeds
  let next = all.from
  let tally = noTally
  let brokenSeed: number | undefined
  const work = async () => {
    const worker = new Worker(new URL(import.meta.url))
    try {
      while (next < end && brokenSeed === undefined) {
        const chunk: Chunk = { from: next, seeds: Math.min(seedsPerChunk, end - next), bug: all.bug }
        next += chunk.seeds
        const result = await sent(worker, chunk)
        tally = sum(tally, result.tally)
        if (result.brokenSeed !== undefined) brokenSeed = Math.min(brokenSeed ?? end, result.brokenSeed)
        onProgress(tally)
      }
    } finally {
      await worker.terminate()
    }
  }
  await Promise.all(Array.from({ length: workers }, work))
  return { tally, brokenSeed }
}

async function sent(worker: Worker, chunk: Chunk): Promise<ChunkResult> {
  // A worker thread has no origin, unlike a window.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that rule is for windows
  worker.postMessage(chunk)
  try {
    const [result]: ChunkResult[] = await once(worker, 'message')
    if (result !== undefined) return result
  } catch (cause) {
    throw new Error(
      `A world between seeds ${chunk.from} and ${chunk.from + chunk.seeds} broke the harness.`,
      { cause },
    )
  }
  throw new Error('A worker sent nothing.')
}

function serveChunks(): void {
  parentPort?.on('message', (chunk: Chunk) => void liveThrough(chunk).then(reportBack))
}

function reportBack(result: ChunkResult): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that rule is for windows
  parentPort?.postMessage(result)
}

async function liveThrough({ from, seeds, bug }: Chunk): Promise<ChunkResult> {
  const subject = subjectOf(bug)
  let tally = noTally
  for (let seed = from; seed < from + seeds; seed += 1) {
    const judged = await judge(planOf(seed), subject)
    tally = sum(tally, tallyOf(judged))
    if (judged.violations.length > 0) return { tally, brokenSeed: seed }
  }
  return { tally, brokenSeed: undefined }
}

// ---- what is printed

function progress(tally: Tally, seeds: number, startedMs: number): void {
  const nowMs = performance.now()
  const inPlace = process.stdout.isTTY
  if (tally.seeds < seeds && nowMs - printedMs < (inPlace ? 200 : 10_000)) return
  printedMs = nowMs
  const perSecond = Math.round((tally.seeds / (nowMs - startedMs)) * 1000)
  const line = `${count(tally.seeds)} of ${count(seeds)} seeds, ${count(perSecond)} seeds/s`
  process.stdout.write(inPlace ? `\r${line}\x1b[K${tally.seeds >= seeds ? '\n' : ''}` : `${line}\n`)
}

function printTables(tally: Tally, seconds: number): void {
  const perSecond = Math.round(tally.seeds / seconds)
  console.log(
    `\n${count(tally.seeds)} seeds and ${count(tally.events)} events in ${seconds.toFixed(1)} s: ${count(perSecond)} seeds/s\n`,
  )
  printTable('faults injected', tally.faults)
  printTable('what happened', tally.happened)
}

function printTable(title: string, counts: Tally['faults']): void {
  console.log(title)
  for (const [name, times] of Object.entries(counts).toSorted((a, b) => b[1] - a[1])) {
    console.log(`  ${name.padEnd(28)}${count(times).padStart(14)}`)
  }
  console.log('')
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}

function printJson(
  { tally, brokenSeed }: ChunkResult,
  { from }: Chunk,
  seconds: number,
  shrunk: Shrunk | undefined,
): void {
  const { promise, details } = shrunk ?? {}
  const broken = brokenSeed === undefined ? undefined : { seed: brokenSeed, promise, details }
  console.log(
    JSON.stringify({ from, seconds, seedsPerSecond: tally.seeds / seconds, ...tally, broken }, undefined, 2),
  )
}

async function tellShrunk(seed: number, shrunk: Shrunk | undefined, subject: Subject): Promise<void> {
  console.log(`Seed ${seed} breaks a promise.`)
  if (shrunk === undefined)
    return console.log('Lived through again it breaks none: something is not deterministic.')
  console.log(`Its story, shrunk in ${shrunk.tried} tries:\n`)
  for (const line of await storyOf(shrunk, subject)) console.log(line)
}

async function tellSeed(seed: number, subject: Subject): Promise<number> {
  const plan = planOf(seed)
  await simulate(plan, subject, (line) => console.log(line))
  const { violations } = await judge(plan, subject)
  if (violations.length === 0) {
    console.log('\nNo promise is broken.')
    return 0
  }
  await tellShrunk(seed, await shrink(plan, subject), subject)
  return 1
}

// ---- the model

function exploreAll(): number {
  let broken = 0
  for (const scenario of scenarios) {
    const result = exploreScenario(scenario)
    if (result.kind !== 'exhausted') broken += 1
    const end = result.kind === 'exhausted' ? 'every promise holds' : result.kind
    console.log(`${scenario.name}: ${count(result.states)} states: ${end}`)
    if (result.kind === 'broken') printStory(result.story, result.promise)
  }
  for (const bug of seededBugs) {
    const found = storyOfBug(bug)
    console.log(`\n${bug.name}: ${bug.mistake}`)
    if (found === undefined) console.log('  not in the model: see the simulation')
    else printStory(found.story, found.promise)
  }
  return broken === 0 ? 0 : 1
}

function printStory(story: readonly string[], promise: string): void {
  for (const [index, action] of story.entries()) console.log(`  ${String(index + 1).padStart(2)}. ${action}`)
  console.log(`  BROKEN: ${promise}`)
}

// Last, so that every constant above is there.
if (isMainThread) process.exit(await main())
else serveChunks()
