import { checkKey } from '../protocol/key.ts'
import { type Fingerprint, payloadFingerprint } from '../protocol/fingerprint.ts'
import { recordId } from '../protocol/identity.ts'
import type { Problem } from '../protocol/problem.ts'
import type { EarlierSteps } from './earlier-steps.ts'
import type { Engine } from './engine.ts'
import { IdempotencyError, invalidOption } from './errors.ts'
import type { Lease } from './lease.ts'
import { callSettings, type RecoveryOption, recoveryReader, type RunOptions, runReaders } from './options.ts'
import { type Reader, readOptions } from './option-readers.ts'
import type { StoredResponse } from './record.ts'
import { contextOf, derivedKey, type RunContext } from './run-context.ts'
import { failureResponse, toldValue, valueResponse } from './run-value.ts'
import type { Reconcile, Scope } from './settings.ts'
import { unprotectedSteps } from './steps.ts'

/** One call of {@link Idempotency.run}. */
export interface RunRequest<T> extends RunOptions {
  /** The idempotency key: an event's id, a message's id. At most 255 characters. */
  key: string
  /** Whom the key belongs to, or `false` for one key space. */
  scope: Scope
  /** Compared with the first call's: the same key with another payload is refused. Any JSON value. */
  payload?: unknown
  /**
   * What to do about an earlier run of which nobody knows the end: refuse, run again, or a function that finds
   * out and returns `{ value }`, `'rerun'` or `'refuse'`. Default `'refuse'`.
   */
  recovery?: RecoveryOption<RunRecoveryContext, { value: T }>
}

export interface RunRecoveryContext extends EarlierSteps {
  readonly key: string
  readonly scope: string
  readonly attempt: number
  /** What the earlier run left: nothing, or the error that it threw. */
  readonly earlier: 'unknown' | 'failed'
  readonly signal: AbortSignal
}

/** Runs `fn` once for its key, and gives every other call the recorded result. */
export async function run<T>(
  engine: Engine,
  request: RunRequest<T>,
  fn: (context: RunContext) => T | Promise<T>,
): Promise<T> {
  const { key, scope, payload, recovery, ...options } = readOptions<RunValues<T>>(
    request,
    runRequestReaders(),
  )
  // Found out after the claim, it would be recorded as the failure of this key.
  if (typeof fn !== 'function') throw invalidOption('fn', 'a function', fn)
  const decision = await engine.begin({
    key,
    scope,
    fingerprint: payload,
    settings: callSettings(options, reconcileWith(recovery)),
  })
  switch (decision.kind) {
    case 'proceed':
      return runUnder<T>(decision.lease, fn)
    case 'replay':
      return toldValue<T>(decision.response)
    case 'reject':
      throw problemError(decision.problem)
    case 'bypass':
      return toldValue<T>(valueResponse(await fn(unprotected(engine, key, scope))))
  }
}

interface RunValues<T> {
  key: string
  scope: Scope
  payload: Fingerprint
  recovery: RecoveryOption<RunRecoveryContext, { value: T }>
  retain: number
  retainUnknown: number
  lease: number
  maxRun: number
  concurrent: ReturnType<typeof runReaders.concurrent>
}

function runRequestReaders<T>(): { [Name in keyof RunValues<T>]: Reader<RunValues<T>[Name]> } {
  return {
    ...runReaders,
    key: readKey,
    scope: readScope,
    payload: readPayload,
    recovery: recoveryReader<RunRecoveryContext, { value: T }>(),
  }
}

function readKey(value: unknown): string {
  const parsed = typeof value === 'string' ? checkKey(value, { maxLength: 255 }) : undefined
  if (parsed?.kind === 'key') return parsed.key
  const reason = parsed?.kind === 'malformed' ? parsed.reason : 'the key is not a string'
  throw new IdempotencyError('malformed-key', `The idempotency key can't be used: ${reason}.`)
}

function readScope(value: unknown): Scope {
  if (value === false || (typeof value === 'number' && Number.isFinite(value))) return value
  // Half of a surrogate pair can't tell one principal from another.
  if (typeof value === 'string' && value !== '' && !/\p{Cs}/u.test(value)) return value
  throw new IdempotencyError('scope-missing', '"scope" must name whom the key belongs to, or be false.')
}

function readPayload(value: unknown, option: string): Fingerprint {
  try {
    return payloadFingerprint(value)
  } catch (error) {
    if (error instanceof TypeError) throw invalidOption(option, 'a JSON value, a string or bytes', value)
    throw error
  }
}

async function runUnder<T>(lease: Lease, fn: (context: RunContext) => T | Promise<T>): Promise<T> {
  let value: T
  try {
    value = await fn(contextOf(lease))
  } catch (error) {
    await record(lease, failureResponse(error), error)
    throw error
  }
  const response = valueResponse(value)
  await record(lease, response)
  return toldValue<T>(response)
}

/** Records the outcome, and refuses to tell it if another run took over. */
async function record(lease: Lease, response: StoredResponse, cause?: unknown): Promise<void> {
  if ((await lease.finish(response)) !== 'withheld') return
  throw new IdempotencyError(
    'outcome-unknown',
    'The outcome of this key is unknown: its lease was lost to another run while the function ran, or a step of an earlier attempt has no known end.',
    { cause },
  )
}

/** The store is down, and the engine was told to go on without it. */
function unprotected(engine: Engine, key: string, scope: Scope): RunContext {
  const { signal } = new AbortController()
  return {
    ...unprotectedSteps(engine.journal),
    key,
    scope: String(scope),
    attempt: 1,
    token: 0,
    signal,
    derive: (name) => derivedKey(recordId(scope, key), name),
    release: () => {},
    keep: () => {},
  }
}

function problemError(problem: Problem): IdempotencyError {
  return new IdempotencyError(problem.code, problem.detail, { problem })
}

function reconcileWith<T>(
  recovery: RecoveryOption<RunRecoveryContext, { value: T }>,
): 'refuse' | 'rerun' | Reconcile {
  if (typeof recovery !== 'function') return recovery
  return async ({ takeover, ...context }) => {
    const earlier = takeover.of === 'failed' ? 'failed' : 'unknown'
    const verdict = await recovery({ ...context, earlier })
    if (verdict === 'rerun' || verdict === 'refuse') return verdict
    // A result that is returned bare must not be recorded as nothing.
    if (typeof verdict === 'object' && 'value' in verdict) return valueResponse(verdict.value)
    throw new TypeError('The "recovery" function must return { value }, "rerun" or "refuse".')
  }
}
