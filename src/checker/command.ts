import { writeFileSync } from 'node:fs'
import { Command, InvalidArgumentError, Option } from 'commander'
import { CannotTest } from './cannot-test.ts'
import { readBytes, readConfig, readText } from './config.ts'
import { helpText, rowList } from './help.ts'
import type { Profile } from './model.ts'
import { progressTo } from './progress.ts'
import { serveReference } from './reference/serve.ts'
import { htmlReport } from './report/html.ts'
import { jsonReport } from './report/json.ts'
import { exitCodeOf } from './report/summary.ts'
import { textReport } from './report/text.ts'
import { type CheckOptions, type CheckReport, runCheck } from './run.ts'
import { checkSelf } from './self.ts'

type Flags = {
  method?: string
  header?: string[]
  data?: string
  otherData?: string
  witness?: string
  probe?: string
  slow?: string
  slowMs?: number
  headerName?: string
  keyMember?: string
  keyForm?: 'auto' | 'quoted' | 'raw'
  keyRequired?: boolean
  keyOptional?: boolean
  secondTenant?: string
  secondCredential?: string
  secondUrl?: string
  http2Url?: string
  docs?: string
  resource?: string
  fixture?: boolean
  gateway?: boolean
  retention?: number
  retentionKnob?: string
  profile?: Profile
  only?: string[]
  skip?: string[]
  maxEffects?: number
  long?: boolean
  rounds?: number
  jobs?: number
  timeout?: number
  ignoreHeader?: string[]
  insecure?: boolean
  cacert?: string
  json?: boolean
  html?: string
  config?: string
  strict?: boolean
  quiet?: boolean
  list?: boolean
  self?: boolean
  reference?: boolean
  ports?: string
  directory?: string
  auth?: boolean
}

/** The command `hapax check`: a black-box verdict on an API's idempotency. */
export function checkCommand(): Command {
  const command = new Command('check')
    .description('Find out, from outside, whether an HTTP API keeps its idempotency promise.')
    .argument('[url]', 'the operation to test: an endpoint that makes one effect for each request')
  addTargetOptions(command)
  addRunOptions(command)
  // A usage mistake is "could not test" too; commander's own code for it is 1, which here means a failure.
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  command.addHelpText('after', helpText)
  return command.action(async (url: string | undefined, flags: Flags) => {
    process.exitCode = await act(command, url, flags)
  })
}

function addTargetOptions(command: Command): void {
  command
    .optionsGroup('The request:')
    .option('-X, --method <method>', 'its method (default: POST)')
    .option('-H, --header <line>', "a header, 'Name: value'; repeatable", collect)
    .option(
      '-d, --data <text>',
      'its body, or @FILE, or @-; {{uuid}}, {{marker}}, {{now}}, {{n}} are filled in',
    )
    .option(
      '--other-data <text>',
      'another valid body, for reuse of a key (default: one value of --data changed)',
    )
    .optionsGroup('Telling executions apart:')
    .option('--witness <where>', 'a JSON pointer (/id) or header (Location) that differs between executions')
    .option(
      '--probe <url#pointer>',
      'a counter of effects, such as http://…/count#/total; {{marker}} for one body’s',
    )
    .optionsGroup('The key:')
    .option('--header-name <name>', 'the header that carries the key (default: Idempotency-Key)')
    .option('--key-member <pointer>', 'the JSON member that carries the key, instead of a header')
    .addOption(new Option('--key-form <form>', 'how keys are sent').choices(['auto', 'quoted', 'raw']))
    .option('--key-required', 'the key is documented as required here (default: found out)')
    .option('--key-optional', 'the key is documented as optional here')
    .optionsGroup('What the target has (each turns rows on):')
    .option(
      '--slow <knob>',
      "how to make the operation slow: '?delayMs={{ms}}', 'X-Delay: {{ms}}' or '/delay={{ms}}'",
    )
    .option('--slow-ms <ms>', 'how slow (default: 1000)', amount)
    .option('--second-tenant <header>', "another tenant's credentials")
    .option('--second-credential <header>', 'another credential of the same principal')
    .option('--second-url <url>', 'a second instance over the same store')
    .option('--http2-url <url>', 'where it speaks HTTP/2 (default: the URL itself, when https)')
    .option(
      '--resource <path>',
      "where a created thing is: '/orders/{{witness}}'; it will be changed and deleted",
    )
    .option('--retention <time>', 'how long keys are remembered, such as 24h or 2s', duration)
    .option('--retention-knob <knob>', 'how to ask for a short retention, as --slow')
    .option('--docs <url>', 'its idempotency documentation')
    .option('--fixture', 'it speaks the reference fixture’s query')
    .option('--gateway', 'it is a gateway before the reference fixture')
}

function addRunOptions(command: Command): void {
  command
    .optionsGroup('The run:')
    .addOption(
      new Option('--profile <name>', 'which rows (default: core)').choices(['core', 'safety', 'full']),
    )
    .option('--only <rows>', 'these rows or classes, such as CON-01,SYN', list)
    .option('--skip <rows>', 'without these rows or classes', list)
    .option('--max-effects <count>', 'never more executions than this (default: 300)', amount)
    .option('--long', 'also rows that need an operation longer than 5 s')
    .option('--rounds <count>', 'rounds of the race of two (default: 20)', amount)
    .option('--jobs <count>', 'rows side by side (default: 8)', amount)
    .option('--timeout <time>', 'for one answer (default: 15s)', duration)
    .option('--ignore-header <name>', 'a header that may differ in a replay; repeatable', collect)
    .option('-k, --insecure', 'believe any certificate')
    .option('--cacert <file>', 'believe this certificate authority (PEM)')
    .option('--config <file>', 'options as JSON; those given here win')
    .optionsGroup('The report:')
    .option('--json', 'as JSON, on standard output')
    .option('--html <file>', 'as one HTML file, besides')
    .option('--strict', 'warnings and inconclusive rows count as failures')
    .option('--quiet', 'no progress on standard error')
    .option('--list', 'print the rows and stop')
    .optionsGroup('The checker itself:')
    .option('--self', 'check the checker’s own reference server (profile full)')
    .option('--reference', 'serve the reference fixture until stopped')
    .addOption(new Option('--ports <three>').hideHelp())
    .addOption(new Option('--directory <path>').hideHelp())
    .addOption(new Option('--auth').hideHelp())
}

async function act(command: Command, url: string | undefined, flags: Flags): Promise<number> {
  try {
    if (flags.list === true) return write(rowList())
    if (flags.reference === true) return await serve(flags)
    const onProgress = flags.quiet === true ? () => undefined : progressTo(process.stderr)
    const report =
      flags.self === true
        ? await checkSelf(ownWords(command), flagOptions(flags), onProgress)
        : await runCheck(readOptions(url, flags), onProgress)
    return publish(report, flags)
  } catch (error) {
    if (!(error instanceof CannotTest)) throw error
    process.stderr.write(`hapax check: ${error.message}\n`)
    return 2
  }
}

function publish(report: CheckReport, flags: Flags): number {
  if (flags.html !== undefined) writeHtml(flags.html, htmlReport(report))
  const colour = process.stdout.isTTY && process.env['NO_COLOR'] === undefined
  write(
    flags.json === true
      ? `${JSON.stringify(jsonReport(report), undefined, 2)}\n`
      : textReport(report, colour),
  )
  return exitCodeOf(report, flags.strict ?? false)
}

function writeHtml(file: string, html: string): void {
  try {
    writeFileSync(file, html)
  } catch (error) {
    throw new CannotTest(
      `The HTML report could not be written: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

function readOptions(url: string | undefined, flags: Flags): CheckOptions {
  const config = flags.config === undefined ? {} : readConfig(flags.config)
  const merged = { ...config, ...flagOptions(flags), ...(url === undefined ? {} : { url }) }
  if (merged.url === undefined)
    throw new CannotTest('Which URL? Try: hapax check http://localhost:3000/orders --data \'{"quantity":1}\'')
  return { ...merged, url: merged.url }
}

function flagOptions(flags: Flags): Partial<CheckOptions> {
  const {
    method,
    header,
    data,
    otherData,
    retention,
    timeout,
    cacert,
    ignoreHeader,
    keyRequired,
    keyOptional,
  } = flags
  return defined({
    method,
    headers: header,
    data: data === undefined ? undefined : readData(data),
    otherData: otherData === undefined ? undefined : readData(otherData),
    witness: flags.witness,
    probe: flags.probe,
    slow: flags.slow,
    slowMs: flags.slowMs,
    headerName: flags.headerName,
    keyMember: flags.keyMember,
    keyForm: flags.keyForm,
    keyRequired: keyRequired === true ? true : keyOptional === true ? false : undefined,
    secondTenant: flags.secondTenant,
    secondCredential: flags.secondCredential,
    secondUrl: flags.secondUrl,
    http2Url: flags.http2Url,
    docs: flags.docs,
    resource: flags.resource,
    fixture: flags.fixture,
    gateway: flags.gateway,
    retentionMs: retention,
    retentionKnob: flags.retentionKnob,
    profile: flags.profile,
    only: flags.only,
    skip: flags.skip,
    maxEffects: flags.maxEffects,
    long: flags.long,
    rounds: flags.rounds,
    jobs: flags.jobs,
    timeoutMs: timeout,
    ignoreHeaders: ignoreHeader,
    insecure: flags.insecure,
    ca: cacert === undefined ? undefined : readText(cacert, 'The certificate file'),
  })
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** Without the members that are undefined, so that they do not hide those of the config file. */
function defined<T extends object>(value: T): Defined<T> {
  // fromEntries loses the types of the members; they are those of the argument.
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Defined<T>
}

/** `@FILE` as curl reads it. */
function readData(text: string): string | Buffer {
  return text.startsWith('@') ? readBytes(text.slice(1), 'The data file') : text
}

/** The words that start this very command again, however deep it is mounted. */
function ownWords(command: Command): string[] {
  const names: string[] = []
  for (let one: Command | null = command; one?.parent; one = one.parent) names.unshift(one.name())
  return [process.execPath, ...process.execArgv, process.argv[1] ?? '', ...names]
}

async function serve(flags: Flags): Promise<number> {
  const ports = flags.ports?.split(',').map(Number)
  const [first = 0, second = 0, third = 0] = ports ?? []
  await serveReference({
    ports: [first, second, third],
    auth: flags.auth ?? false,
    ...(flags.directory === undefined ? {} : { directory: flags.directory }),
  })
  return 0
}

function write(text: string): number {
  process.stdout.write(text)
  return 0
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value]
}

function list(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), ...value.split(',').filter((one) => one !== '')]
}

function amount(value: string): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1)
    throw new InvalidArgumentError('It must be a whole number, at least 1.')
  return number
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function duration(value: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value)
  const unit = unitMs[match?.[2] ?? '']
  if (match === null || unit === undefined)
    throw new InvalidArgumentError('It must be a time such as 500ms, 2s, 5m, 24h or 7d.')
  return Number(match[1]) * unit
}
