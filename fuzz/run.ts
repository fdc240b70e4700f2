// Runs fuzz targets: `npm run fuzz -- [target] …`. See CONTRIBUTING.md.
import { relative } from 'node:path'
import { parseArgs } from 'node:util'
import { saveInput } from './corpus.ts'
import { fuzz, type FuzzResult } from './fuzzer.ts'
import { targets } from './targets/index.ts'

const help = `Usage: npm run fuzz -- [target …] [options]

  --inputs <n>    how many mutated inputs for each target (default 100000; 5000 where servers run)
  --seed <n>      the first random number (default: the time)
  --seconds <n>   end each target after this time
  --json          print the results as JSON
  --help

A target runs on its corpus first, so that --inputs 0 tries again what once failed. An input that breaks an
invariant is saved there, and ends the command with code 1.

Targets:
${targets.map(({ name, what }) => `  ${name.padEnd(18)}${what}`).join('\n')}`

// Where nothing is left to wait for, an input has hung.
process.exitCode = 1
process.exitCode = await main().catch((error: unknown) => {
  console.error(error)
  return 1
})

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      inputs: { type: 'string' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
      seconds: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    console.log(help)
    return 0
  }
  const unknown = positionals.filter((name) => targets.every((target) => target.name !== name))
  if (unknown.length > 0) {
    console.error(`There is no target ${unknown.join(', ')}. Choose from those that --help lists.`)
    return 2
  }
  const seed = wholeNumber(values.seed, 'seed')
  const chosen = targets.filter(({ name }) => positionals.length === 0 || positionals.includes(name))
  const results: FuzzResult[] = []
  const stray = strayErrors()
  for (const target of chosen) {
    const inputs = values.inputs ?? (target.isServed === true ? '5000' : '100000')
    const limit =
      values.seconds === undefined ? {} : { limitMs: wholeNumber(values.seconds, 'seconds') * 1000 }
    const result = await fuzz(target, { inputs: wholeNumber(inputs, 'inputs'), seed, ...limit })
    results.push(result)
    if (!values.json) console.log(lineOf(result))
    const failure = result.failure ?? stray.take()
    if (failure === undefined) continue
    const path = 'input' in failure ? saveInput(target.name, failure.input) : undefined
    tell(target.name, seed, failure.error, path)
    return 1
  }
  if (values.json) console.log(JSON.stringify({ seed, results }))
  return 0
}

function tell(target: string, seed: number, error: unknown, path: string | undefined): void {
  console.error(error)
  if (path === undefined) console.error(`Run it again: npm run fuzz -- ${target} --seed ${seed}`)
  else {
    console.error(`The input: ${relative('.', path)}`)
    console.error(`Run it again: npm run fuzz -- ${target} --inputs 0`)
  }
}

/** What no input can be blamed for at once: promises that nobody waits for. */
function strayErrors() {
  const errors: unknown[] = []
  process.on('unhandledRejection', (error) => errors.push(error))
  process.on('uncaughtException', (error) => errors.push(error))
  return { take: () => (errors.length === 0 ? undefined : { error: errors[0] }) }
}

function lineOf({ target, inputs, refused, elapsedMs, failure }: FuzzResult): string {
  const rate = Math.round((inputs / elapsedMs) * 1000)
  const verdict = failure === undefined ? 'ok' : 'BROKEN'
  const notTaken = refused === 0 ? '' : `, ${refused} not taken by the database`
  return `${verdict.padEnd(7)}${target}: ${inputs} inputs in ${(elapsedMs / 1000).toFixed(1)} s (${rate}/s)${notTaken}`
}

function wholeNumber(text: string, option: string): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  throw new RangeError(`--${option} must be a whole number; received "${text}".`)
}
