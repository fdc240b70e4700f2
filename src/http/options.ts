import type { EarlierSteps } from '../core/earlier-steps.ts'
import type { Duration } from '../protocol/duration.ts'
import { defaultProblemBase } from '../protocol/problem.ts'
import { invalidOption } from '../core/errors.ts'
import {
  type ConcurrentOption,
  type EngineOptions,
  engineReaders,
  engineSettings,
  type RecoveryOption,
  recoveryReader,
  runReaders,
} from '../core/options.ts'
import {
  flag,
  listOf,
  optionalFunction,
  perRequest,
  type Reader,
  readOptions,
  text,
  wholeNumber,
} from '../core/option-readers.ts'
import type { EngineSettings, Scope } from '../core/settings.ts'
import type { StoredResponse } from '../core/record.ts'
import { defaultStore } from './default-store.ts'
import { type HeaderSelection, readHeaderSelection, type ReplayHeadersOption } from './recorded-headers.ts'
import type { RecoveryAnswer } from './recovery-answer.ts'

/** A value, or a function from the request to a value, asked before the claim. */
export type PerRequest<Request, T> = T | ((request: Request) => T)

/** Options that every HTTP adapter takes. `Request` is the framework's own request. */
export interface HttpOptions<Request> extends EngineOptions {
  /**
   * Whom a key belongs to: a user or an account, never a rotating token. `false`: all callers share one key
   * space. Required, since a wrong default would show one caller another's answers. A function that returns
   * nothing refuses the request (500 `scope-missing`).
   */
  scope: false | ((request: Request) => string | number | null | undefined)
  /** Methods that are guarded. Default `['POST', 'PATCH']`. */
  methods?: PerRequest<Request, readonly string[]>
  /** True for requests to pass through untouched, key or no key. */
  skip?: (request: Request) => boolean
  /** Answer 400 when the key is missing. Default `false`. */
  required?: PerRequest<Request, boolean>
  /** The header that carries the key. Default `Idempotency-Key`. */
  header?: string
  /** Takes the key from elsewhere, for example a webhook's event id. Replaces `header`. */
  key?: (request: Request) => string | null | undefined
  /** Longer keys get 400; none is ever cut. Default 255. */
  maxKeyLength?: number
  /**
   * What must be equal for two requests to be the same. Default: method, target, media type and body. `body`
   * is there when hapax read it, that is when no parser ran before.
   */
  fingerprint?: (request: Request, body: Uint8Array | undefined) => unknown
  /** Larger guarded requests get 413 before the claim. Default 16 MiB. */
  maxRequestBytes?: number
  /** A larger answer reaches its client and leaves a tombstone: never run again, never replayed. Default 1 MiB. */
  maxResponseBytes?: number
  /** See {@link RunOptions.retain}. */
  retain?: PerRequest<Request, Duration>
  /** See {@link RunOptions.retainUnknown}. */
  retainUnknown?: PerRequest<Request, Duration>
  /** See {@link RunOptions.lease}. */
  lease?: PerRequest<Request, Duration>
  /** See {@link RunOptions.maxRun}. */
  maxRun?: PerRequest<Request, Duration>
  /** See {@link RunOptions.concurrent}. */
  concurrent?: PerRequest<Request, ConcurrentOption>
  /**
   * What to do about an earlier run of which nobody knows the end. `'refuse'` (default): 409
   * `outcome-unknown`. `'rerun'`: the handler is safe to run again. A function finds out.
   */
  recovery?: RecoveryOption<RecoveryContext<Request>, RecoveryAnswer>
  /** Overrules which answers are kept; `undefined` leaves the built-in rule. */
  keep?: (response: { readonly status: number }) => 'keep' | 'release' | undefined
  /** Header names to record besides, or not to record. `Set-Cookie` must be named here to be kept. */
  replayHeaders?: ReplayHeadersOption
  /** What precedes the code in a problem's `type`. Default `urn:hapax:problem:`. */
  problems?: string
}

export interface RecoveryContext<Request> extends EarlierSteps {
  readonly request: Request
  readonly key: string
  readonly scope: string
  /** The attempt that would run now: 2 or more. */
  readonly attempt: number
  /** The failure that was recorded, or `undefined` where nothing is known. */
  readonly failure: StoredResponse | undefined
  /** Aborts when the lease is lost. */
  readonly signal: AbortSignal
}

/** The options of one middleware, read and checked. */
export interface HttpSettings<Request> {
  scope: false | ((request: Request) => Scope | null | undefined)
  methods: (request: Request) => readonly string[]
  skip: ((request: Request) => boolean) | undefined
  required: (request: Request) => boolean
  header: string
  key: ((request: Request) => string | null | undefined) | undefined
  maxKeyLength: number
  fingerprint: ((request: Request, body: Uint8Array | undefined) => unknown) | undefined
  maxRequestBytes: number
  maxResponseBytes: number
  retain: (request: Request) => number
  retainUnknown: (request: Request) => number
  lease: (request: Request) => number
  maxRun: (request: Request) => number
  concurrent: (request: Request) => ReturnType<typeof runReaders.concurrent>
  recovery: RecoveryOption<RecoveryContext<Request>, RecoveryAnswer>
  keep: ((response: { readonly status: number }) => 'keep' | 'release' | undefined) | undefined
  replayHeaders: HeaderSelection
  problems: string
}

/** `Respond` is the adapter's own form of the `respond` option. */
export function readHttpOptions<Request, Respond extends (...parameters: never[]) => unknown>(
  options: unknown,
): { engine: EngineSettings; http: HttpSettings<Request>; respond: Respond | undefined } {
  type Values = HttpSettings<Request> &
    Parameters<typeof engineSettings>[0] & { respond: Respond | undefined }
  const values = readOptions<Values>(options, {
    ...engineReaders(defaultStore),
    ...httpReaders<Request>(),
    respond: optionalFunction<Respond>(),
  })
  return { engine: engineSettings(values), http: values, respond: values.respond }
}

/**
 * The settings of one route: what it says for itself, and the rest from `options`. What belongs to the engine
 * (the store, the clock) can't differ from route to route.
 */
export function readRouteOptions<Request>(
  options: HttpOptions<Request>,
  route: RouteOptions<Request>,
): HttpSettings<Request> {
  const readers = httpReaders<Request>()
  readOptions(route, { ...readers, scope: (value: unknown) => value })
  const names = new Set(Object.keys(readers))
  const shared = Object.entries(options).filter(([name]) => names.has(name))
  const own = Object.entries(route).filter(([, value]) => value !== undefined)
  return readOptions<HttpSettings<Request>>(Object.fromEntries([...shared, ...own]), readers)
}

/** Options that a single route may give for itself. */
export type RouteOptions<Request> = Partial<Omit<HttpOptions<Request>, keyof EngineOptions>>

function httpReaders<Request>(): {
  [Name in keyof HttpSettings<Request>]: Reader<HttpSettings<Request>[Name]>
} {
  return {
    scope: readScope,
    methods: perRequest<Request, readonly string[]>(readMethods),
    skip: optionalFunction(),
    required: perRequest<Request, boolean>(flag(false)),
    header: readHeaderName,
    key: optionalFunction(),
    maxKeyLength: wholeNumber(255, 1),
    fingerprint: optionalFunction(),
    maxRequestBytes: wholeNumber(16 * 1024 * 1024, 0),
    maxResponseBytes: wholeNumber(1024 * 1024, 0),
    retain: perRequest<Request, number>(runReaders.retain),
    retainUnknown: perRequest<Request, number>(runReaders.retainUnknown),
    lease: perRequest<Request, number>(runReaders.lease),
    maxRun: perRequest<Request, number>(runReaders.maxRun),
    concurrent: perRequest<Request, ReturnType<typeof runReaders.concurrent>>(runReaders.concurrent),
    recovery: recoveryReader<RecoveryContext<Request>, RecoveryAnswer>(),
    keep: optionalFunction(),
    replayHeaders: readHeaderSelection,
    problems: text(defaultProblemBase),
  }
}

function readScope<Request>(value: unknown, option: string): HttpSettings<Request>['scope'] {
  if (value === false) return false
  // The declared type of the option states what the function takes and returns.
  if (typeof value === 'function') return value as HttpSettings<Request>['scope']
  throw invalidOption(
    option,
    'a function (req) => the caller that a key belongs to, or false for one key space',
    value,
  )
}

function readMethods(value: unknown, option: string): readonly string[] {
  if (value === undefined) return ['POST', 'PATCH']
  const methods = listOf<string>(undefined, 'method names')(value, option).map((method) =>
    method.toUpperCase(),
  )
  const safe = methods.find((method) => neverGuarded.has(method))
  if (safe !== undefined)
    throw invalidOption(option, 'methods that change state; safe methods are never guarded', safe)
  return methods
}

const neverGuarded = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT'])

function readHeaderName(value: unknown, option: string): string {
  const name = text('Idempotency-Key')(value, option)
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name)) throw invalidOption(option, 'a header name', value)
  return name.toLowerCase()
}
