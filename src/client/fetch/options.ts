import { type Duration, parseDuration } from '../../protocol/duration.ts'
import { ClientError } from '../errors.ts'
import { type KeyFormat, newKey } from './key.ts'

/** The options of `createClient`. */
export interface ClientOptions {
  /** Sends one attempt. Default: the global `fetch`, as it is at the time of the call. */
  fetch?: typeof fetch
  /**
   * How many times a request may be sent again after no answer or a passing failure. Default: 6. Answers that say
   * *in progress* do not count.
   */
  retries?: number
  /** After which no further attempt begins, and one that runs is given up. Default: `'60s'`. */
  deadline?: Duration
  /**
   * How long one attempt may take, its answer included. Default: `'20s'`. Keep it above the server's
   * `concurrent: { wait }`.
   */
  attemptTimeout?: Duration
  /** The header that carries the key. Default: `Idempotency-Key`. */
  header?: string
  /** `'quoted'`: a String of RFC 9651, as the draft has it (default). `'raw'`: without quotes, as Stripe wants it. */
  format?: KeyFormat
  /** Makes a key. Default: a random UUID. */
  newKey?: () => string
  /**
   * Sends an unsafe request again only to an origin that has sent `Idempotency-Expires` to this client before, which
   * proves that it honours keys. Default: `false`: the caller knows.
   */
  requireSupport?: boolean
  /**
   * Reads the answer of an unsafe request to its end before the call resolves (default), so that an answer which
   * breaks midway is retried. `false` for answers that are streamed.
   */
  wholeAnswer?: boolean
  /** Is told of each attempt, for logs and for pages that show what happens. */
  on?: (event: ClientEvent) => void
}

/** What `on` is told. `waitMs`: in how many milliseconds the next attempt follows; undefined where none does. */
export type ClientEvent =
  | { readonly type: 'sent'; readonly attempt: number; readonly key: string | undefined }
  | {
      readonly type: 'answer'
      readonly attempt: number
      readonly response: Response
      readonly waitMs: number | undefined
    }
  | {
      readonly type: 'failed'
      readonly attempt: number
      readonly error: unknown
      readonly waitMs: number | undefined
    }

export interface ClientSettings extends RetrySettings {
  readonly fetch: typeof fetch | undefined
  readonly header: string
  readonly format: KeyFormat
  readonly newKey: () => string
  readonly wholeAnswer: boolean
  readonly on: (event: ClientEvent) => void
}

export interface RetrySettings {
  readonly retries: number
  readonly deadlineMs: number
  readonly attemptTimeoutMs: number
  readonly requireSupport: boolean
}

/** @throws {ClientError} `invalid-option`, naming the option. */
export function readClientOptions(options: ClientOptions): ClientSettings {
  const unknown = Object.keys(options).find((name) => !names.has(name))
  if (unknown !== undefined) throw wrong(unknown, 'left out: there is no such option')
  const { retries = 6, format = 'quoted' } = options
  if (!Number.isInteger(retries) || retries < 0) throw wrong('retries', 'a whole number, 0 or more')
  if (format !== 'quoted' && format !== 'raw') throw wrong('format', "'quoted' or 'raw'")
  return {
    fetch: options.fetch,
    retries,
    format,
    deadlineMs: readDuration('deadline', options.deadline ?? '60s'),
    attemptTimeoutMs: readDuration('attemptTimeout', options.attemptTimeout ?? '20s'),
    header: options.header ?? 'Idempotency-Key',
    newKey: options.newKey ?? newKey,
    requireSupport: options.requireSupport ?? false,
    wholeAnswer: options.wholeAnswer ?? true,
    on: options.on ?? (() => {}),
  }
}

const names: ReadonlySet<string> = new Set<keyof ClientOptions>([
  'fetch',
  'retries',
  'deadline',
  'attemptTimeout',
  'header',
  'format',
  'newKey',
  'requireSupport',
  'wholeAnswer',
  'on',
])

export function readDuration(option: string, value: unknown): number {
  const milliseconds = parseDuration(value)
  if (milliseconds) return milliseconds
  throw wrong(option, "a duration above zero, such as '30s' or a number of milliseconds")
}

function wrong(option: string, expected: string): ClientError {
  return new ClientError('invalid-option', `Option "${option}" must be ${expected}.`)
}
