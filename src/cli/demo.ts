import { Command, InvalidArgumentError, Option } from 'commander'
import {
  parseRedisUrl,
  parseStoreAddress,
  type RedisAddress,
  type StoreAddress,
} from './demo/store-address.ts'
import { CommandFailure } from './failure.ts'

interface DemoOptions {
  port: number
  host: string
  store?: StoreAddress
  redis?: RedisAddress
  storm?: boolean
  intents?: number
  seed?: number
  json?: boolean
  protection: boolean
}

/** `hapax demo`: two shops to break in the browser, or with `--storm` a thousand purchases at once. */
export function demoCommand(): Command {
  return new Command('demo')
    .description('Serve a shop with hapax beside one without, to break them; or judge both in a storm.')
    .addOption(portOption())
    .addOption(new Option('--host <address>', 'address to listen on').default('127.0.0.1').conflicts('storm'))
    .addOption(storeOption())
    .addOption(redisOption())
    .option('--storm', 'no browser: a thousand purchases against two servers, one of which is killed')
    .option(
      '--intents <number>',
      'how many purchases the storm makes (default: 1000)',
      wholeNumber(1, 100_000),
    )
    .option('--seed <number>', 'makes the choices of the storm repeatable', wholeNumber(0, 2 ** 32 - 1))
    .option('--json', 'print the addresses of the demo, or the result of the storm, as JSON only')
    .addOption(new Option('--no-protection', 'storm without hapax, to see the verdict fail').hideHelp())
    .addHelpText('after', exitCodes)
    .action((options: DemoOptions) => (options.storm ? storm(options) : serve(options)))
}

const exitCodes = `
Exit codes of --storm: 0 each intent was charged at most once and every answer is true; 1 not so; 2 it could not run.`

function portOption(): Option {
  return new Option('--port <number>', 'port to listen on; 0 for any that is free')
    .default(3000)
    .argParser(wholeNumber(0, 65_535))
    .conflicts('storm')
}

function storeOption(): Option {
  return new Option(
    '--store <where>',
    'sqlite:FILE or memory (default: SQLite in a temporary folder); for Redis, --redis',
  ).argParser((text) => {
    const address = parseStoreAddress(text)
    if (address !== undefined) return address
    throw new InvalidArgumentError('Expected sqlite:FILE (or just FILE), or memory. For Redis: --redis URL.')
  })
}

function redisOption(): Option {
  return new Option(
    '--redis <url>',
    'keep the records in Redis; needs ioredis or redis (node-redis) installed',
  )
    .conflicts('store')
    .argParser((text) => {
      const address = parseRedisUrl(text)
      if (address !== undefined) return address
      throw new InvalidArgumentError('Expected a URL such as redis://127.0.0.1:6379.')
    })
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`Expected a whole number from ${least} to ${most}.`)
  }
}

// Each part is loaded when it is asked for: help must not wait for the stores.

async function serve({ port, host, store, redis, json = false, ...options }: DemoOptions): Promise<void> {
  if (options.intents !== undefined || options.seed !== undefined || !options.protection) {
    throw new CommandFailure('--intents and --seed are for the storm: add --storm.')
  }
  const { serveDemo } = await import('./demo/serve.ts')
  await serveDemo({ port, host, store: redis ?? store, json })
}

async function storm({
  store,
  redis,
  intents = 1000,
  seed,
  json = false,
  protection,
}: DemoOptions): Promise<void> {
  const { runStorm } = await import('./demo/storm/run.ts')
  const seedOrChance = seed ?? Math.floor(Math.random() * 2 ** 32)
  const { passed } = await runStorm({
    store: redis ?? store,
    intents,
    seed: seedOrChance,
    json,
    protection,
  })
  process.exitCode = passed ? 0 : 1
}
