import { type Duration, parseDuration } from '../protocol/duration.ts'
import { type Clock, systemClock } from './clock.ts'
import { invalidOption } from './errors.ts'
import type { EventListener } from './events.ts'
import type { Journal } from './journal.ts'
import { type Logger, type MisuseCode, misuseTexts, processWarnings } from './misuse.ts'
import {
  duration,
  flag,
  listOf,
  objectWith,
  oneOf,
  optionalFunction,
  type Reader,
  type Readers,
  wholeNumber,
} from './option-readers.ts'
import type { RecordPolicy } from './record.ts'
import { type EncryptionKey, Sealing } from './sealing.ts'
import { readEncryption, readSecrets } from './sealing-options.ts'
import type { CallSettings, Concurrent, EngineSettings, Reconcile } from './settings.ts'
import type { Store } from './store.ts'

/** What every entry point (`createIdempotency`, each framework's `idempotency`) takes. */
export interface EngineOptions {
  /** Where records live. Default: `memoryStore()`, which warns once in production. */
  store?: Store
  /** Where steps are remembered: the application's own database. Default: the record itself. */
  journal?: Journal
  /**
   * Encrypts bodies and results of steps where they are stored, with AES-256-GCM. The first key encrypts, all decrypt:
   * to rotate, put the new key first and leave the old one for as long as its records live. Keys are 32 bytes, as they
   * are or in base64. A record whose key is missing or wrong is refused as `outcome-unknown`, and never run as new.
   */
  encryption?: EncryptionOption | readonly EncryptionOption[]
  /**
   * Keys the digests of requests, of which a plain one could be guessed from the store. At least 16 bytes; the first of
   * several is the newest. Default: derived from `encryption`, or none.
   */
  secret?: SecretOption | readonly SecretOption[]
  /** Bound for each store operation; beyond it the store counts as down. Default `'2s'`. */
  storeTimeout?: Duration
  /**
   * What to do with a keyed request when the store is down. `'reject'` (default): answer 503, do not run.
   * `'bypass'`: run without protection, and say so in a `bypassed` event.
   */
  onStoreError?: 'reject' | 'bypass'
  /**
   * Keep the raw key and scope beside the record's digest, for operators to read, and tell them in events. Default
   * `true`.
   */
  storeKeys?: boolean
  /** How many duplicates may wait for their winner at once; more get 409. Default 1,000. */
  maxWaiters?: number
  /** Called with every event, synchronously. An error it throws is logged and changes nothing. */
  on?: EventListener
  /** Where warnings go. Default: `process.emitWarning`. */
  logger?: Logger
  /** Codes of misuse warnings not to give. */
  silence?: readonly MisuseCode[]
  /** Time and timers, for tests. */
  clock?: Clock
}

export interface EncryptionOption {
  /** A name of your own, stored in clear: 1 to 32 letters, digits, `.`, `_` or `-`. */
  id: string
  key: string | Uint8Array
}

export type SecretOption = string | Uint8Array

/** Options that decide about one run; per request where an entry point says so. */
export interface RunOptions {
  /** How long a completed record answers. Default `'24h'`. */
  retain?: Duration
  /** How long a record is kept whose outcome is unknown. Default `'30d'`. */
  retainUnknown?: Duration
  /** How long a claim lives without a heartbeat. Default `'30s'`. */
  lease?: Duration
  /** After how long the heartbeat stops for a handler that never answers. Default `'15m'`. */
  maxRun?: Duration
  /**
   * What a duplicate gets while the first request runs. `'reject'` (default): 409 and `Retry-After`.
   * `{ wait: '10s' }`: the winner's answer, or 409 at the end of the wait.
   */
  concurrent?: ConcurrentOption
}

const hourMs = 3_600_000
const storeVerbs = ['claim', 'renew', 'complete', 'release', 'abandon', 'recordStep', 'close']
const journalVerbs = ['open', 'recordStep', 'transact', 'close']
const clockMethods = ['now', 'monotonic', 'setTimer']
// Object.keys() loses the literal type of a constant's keys.
const misuseCodes = Object.keys(misuseTexts) as MisuseCode[]

export type ConcurrentOption = 'reject' | { wait: Duration }

/** What a `recovery` function may say besides an answer. */
export type RecoveryOption<Context, Answer> =
  | 'refuse'
  | 'rerun'
  | ((context: Context) => Answer | 'rerun' | 'refuse' | Promise<Answer | 'rerun' | 'refuse'>)

/** The engine's options after reading: under their public names, with durations in milliseconds. */
interface EngineValues {
  store: Store
  journal: Journal | undefined
  encryption: readonly EncryptionKey[]
  secret: readonly Uint8Array[]
  clock: Clock
  storeTimeout: number
  onStoreError: 'reject' | 'bypass'
  storeKeys: boolean
  maxWaiters: number
  logger: Logger
  silence: readonly MisuseCode[]
  on: EventListener | undefined
}

export function engineReaders(defaultStore: () => Store): Readers<EngineValues> {
  return {
    store: objectWith<Store>(storeVerbs, `a store (${storeVerbs.join(', ')})`, defaultStore),
    journal: objectWith<Journal | undefined>(
      journalVerbs,
      `a journal (${journalVerbs.join(', ')})`,
      () => undefined,
    ),
    encryption: readEncryption,
    secret: readSecrets,
    clock: objectWith<Clock>(clockMethods, `a clock (${clockMethods.join(', ')})`, () => systemClock),
    storeTimeout: duration(2_000),
    onStoreError: oneOf(['reject', 'bypass'], 'reject'),
    storeKeys: flag(true),
    maxWaiters: wholeNumber(1_000, 0),
    logger: objectWith<Logger>(['warn'], 'an object with a warn(message) method', () => processWarnings),
    silence: listOf(misuseCodes, `codes (${misuseCodes.join(', ')})`),
    on: optionalFunction<EventListener>(),
  }
}

export function engineSettings({
  storeTimeout,
  encryption,
  secret,
  ...values
}: EngineValues): EngineSettings {
  return { ...values, storeTimeoutMs: storeTimeout, sealing: new Sealing(encryption, secret) }
}

export const runReaders = {
  retain: duration(24 * hourMs),
  retainUnknown: duration(30 * 24 * hourMs),
  lease: duration(30_000, 10),
  maxRun: duration(15 * 60_000),
  concurrent: readConcurrent,
}

export interface RunValues {
  retain: number
  retainUnknown: number
  lease: number
  maxRun: number
  concurrent: Concurrent
}

/** @param reconcile A function for `recovery: fn`, already adapted to what the caller of the engine keeps. */
export function callSettings(values: RunValues, recovery: 'refuse' | 'rerun' | Reconcile): CallSettings {
  const policy: RecordPolicy = {
    recovery: typeof recovery === 'function' ? 'reconcile' : recovery,
    retainMs: values.retain,
    retainUnknownMs: values.retainUnknown,
  }
  return {
    policy,
    ...(typeof recovery === 'function' && { reconcile: recovery }),
    leaseMs: values.lease,
    maxRunMs: values.maxRun,
    concurrent: values.concurrent,
  }
}

/** `recovery`: a word, or a function that finds out. */
export function recoveryReader<Context, Answer>(): Reader<RecoveryOption<Context, Answer>> {
  return (value = 'refuse', option) => {
    if (value === 'refuse' || value === 'rerun') return value
    // What the function takes and returns can't be checked before it is called.
    if (typeof value === 'function') return value as RecoveryOption<Context, Answer>
    throw invalidOption(option, '"refuse", "rerun" or a function', value)
  }
}

function readConcurrent(value: unknown, option: string): Concurrent {
  if (value === undefined || value === 'reject') return { kind: 'reject' }
  const isWait = typeof value === 'object' && value !== null && Object.keys(value).join() === 'wait'
  const waitMs = isWait && 'wait' in value ? parseDuration(value.wait) : undefined
  if (waitMs !== undefined && waitMs > 0) return { kind: 'wait', waitMs }
  throw invalidOption(option, '"reject" or { wait: <duration> }', value)
}
