import { Command, InvalidArgumentError, Option } from 'commander'
import { parseDuration } from '../protocol/duration.ts'
import { addressForms, openAddress } from './open-address.ts'
import { CommandFailure } from './failure.ts'
import { changeKeys } from './keys/change.ts'
import { listKeys } from './keys/list.ts'
import { type KeyFilter, stateNames } from './keys/search.ts'
import { showKey } from './keys/show.ts'
import { printStats } from './keys/stats.ts'
import type { Inspection } from '../core/store.ts'

interface StoreOptions {
  readonly store: string
  readonly json?: boolean
}

interface ChangeOptions extends StoreOptions {
  readonly scope?: string
  readonly shared?: boolean
  readonly yes?: boolean
  readonly auditFile?: string
}

interface SettleOptions extends ChangeOptions {
  readonly status: number
  readonly body?: string
  readonly contentType: string
}

/** `hapax keys`: what is running, replayed, stuck; and a way to settle it. */
export function keysCommand(): Command {
  const keys = new Command('keys').description(
    'Look at the keys of a store, and settle those that are stuck.',
  )
  keys.addCommand(listCommand())
  keys.addCommand(showCommand())
  keys.addCommand(settleCommand())
  keys.addCommand(
    changeCommand('release', 'Make a stuck key new: the next request with it runs.').action((key, options) =>
      change(key, options, { kind: 'release' }),
    ),
  )
  keys.addCommand(
    changeCommand(
      'forget',
      'Delete a record, whatever its state: the next request with its key runs.',
    ).action((key, options) => change(key, options, { kind: 'forget' })),
  )
  keys.addCommand(statsCommand())
  return keys.addHelpText('after', examples)
}

const examples = `
Examples:
  hapax keys list --store redis://localhost --state unknown --state lapsed
  hapax keys show --store sqlite:keys.db --scope user-17 8e03978e-40d5-43e8-bc93-6894a57f9324
  hapax keys settle --store sqlite:keys.db --scope user-17 KEY --status 201 --body '{"id":"ord_1"}'

A key is given as its record's id (43 characters, as list prints it), or as the client's key with --scope or --shared.
Passwords in --store are visible to other users of this machine: HAPAX_STORE in the environment is not.`

function listCommand(): Command {
  return withStore(new Command('list').description('List keys, the newest first.'))
    .addOption(new Option('--state <state...>', 'only these').choices(stateNames))
    .option('--scope <text>', 'only keys of this scope')
    .option('--key <text>', 'only keys that contain this')
    .option('--older-than <duration>', 'only keys whose state is older, for example 10m', duration)
    .option('--limit <number>', 'at most so many', wholeNumber, 50)
    .action((options: StoreOptions & KeyFilter & { limit: number }) =>
      inspecting(options, (inspect) => listKeys(inspect, options, options)),
    )
}

function showCommand(): Command {
  return withKey(new Command('show').description('Show all that is known of a key.')).action(
    (key: string, options: ChangeOptions) => inspecting(options, (inspect) => showKey(inspect, key, options)),
  )
}

function settleCommand(): Command {
  return changeCommand('settle', 'Give a stuck key an answer: every retry gets it, and nothing runs.')
    .option('--status <number>', 'status of the answer', wholeNumber, 200)
    .option('--body <text>', 'body of the answer')
    .option('--content-type <type>', 'what the body is', 'application/json')
    .action((key: string, { status, body, contentType, ...options }: SettleOptions) =>
      change(key, options, { kind: 'settle', status, body, contentType }),
    )
}

function statsCommand(): Command {
  return withStore(new Command('stats').description('Count the keys of a store by their state.')).action(
    (options: StoreOptions) => inspecting(options, (inspect) => printStats(inspect, options)),
  )
}

function changeCommand(name: string, description: string): Command {
  return withKey(new Command(name).description(description))
    .option('--yes', 'do not ask')
    .option('--audit-file <file>', 'append the audit line there, instead of printing it to the error output')
}

function withKey(command: Command): Command {
  return withStore(command)
    .argument('<key>', "a record's id, or the client's key with --scope or --shared")
    .option('--scope <text>', 'whose key it is')
    .addOption(
      new Option('--shared', 'the key belongs to the one key space of scope: false').conflicts('scope'),
    )
}

function withStore(command: Command): Command {
  return command
    .addOption(new Option('--store <address>', addressForms).env('HAPAX_STORE').makeOptionMandatory())
    .option('--json', 'print JSON')
}

function change(
  key: string,
  options: ChangeOptions,
  action: Parameters<typeof changeKeys>[2],
): Promise<void> {
  return inspecting(options, (inspect) => changeKeys(inspect, key, action, options))
}

async function inspecting(
  { store: address }: StoreOptions,
  work: (inspect: Inspection) => Promise<void>,
): Promise<void> {
  const opened = await openAddress(address)
  try {
    const { inspect } = opened.store
    if (inspect === undefined) throw new CommandFailure(`The store at ${address} can't be inspected.`)
    await work(inspect)
  } finally {
    await opened.close()
  }
}

function duration(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined) throw new InvalidArgumentError('Expected a duration such as 90s, 10m or 2h.')
  return ms
}

function wholeNumber(text: string): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value > 0 && Number.isSafeInteger(value)) return value
  throw new InvalidArgumentError('Expected a whole number above 0.')
}
