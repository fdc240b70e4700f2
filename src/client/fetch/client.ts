import { ClientError } from '../errors.ts'
import { attemptOnce } from './attempt.ts'
import { bodyOf } from './body.ts'
import { keyField } from './key.ts'
import { type ClientEvent, type ClientOptions, type ClientSettings, readClientOptions } from './options.ts'
import { pause } from './pause.ts'
import { type AnsweredProblem, idempotencyProblem } from './problem.ts'
import { Schedule } from './schedule.ts'

/** What `fetch` takes, and the key of an intent that began earlier. */
export interface IdempotentInit extends RequestInit {
  /**
   * The key of this intent, where one was made before. Default: a new one, or what the key's header in `headers`
   * has.
   */
  idempotencyKey?: string
}

/** Sends requests with a key, again and again where that is safe. */
export interface Client {
  /**
   * Sends one request, as often as it takes, and resolves to its final answer: like `fetch`, also when that is an
   * error. What the server refused to run is told by {@link idempotencyProblem}.
   *
   * All attempts have the same key and the same bytes. Sent again, with full jitter and no earlier than
   * `Retry-After`: no answer, 408, 425, 429, 500, 502, 503, 504, and 409 while the first request is in progress.
   * Anything else is final, and so is every recorded answer. GET, HEAD and OPTIONS get no key.
   *
   * **It takes your word that the server honours keys**: to one that ignores them, a retry is a second purchase. Use
   * `requireSupport` where you are not sure.
   *
   * @throws {ClientError} `no-answer` when the attempts or the time are used up: the request may or may not have had
   * its effect, so repeat it with `error.key`, or look it up. `body-not-repeatable` for a stream, `malformed-key`.
   * What `init.signal` says when it aborts.
   */
  fetch(input: string | URL | Request, init?: IdempotentInit): Promise<Response>
}

/**
 * Makes a client. Keep one for as long as the page or the process lives.
 *
 * @throws {ClientError} `invalid-option`
 * @example
 * const client = createClient({ deadline: '30s' })
 * const response = await client.fetch('/orders', { method: 'POST', body: JSON.stringify(order) })
 */
export function createClient(options: ClientOptions = {}): Client {
  const settings = readClientOptions(options)
  /** Origins that have shown that they honour keys. */
  const proven = new Set<string>()
  return {
    async fetch(input, { idempotencyKey, ...init } = {}) {
      const request = await readRequest(input, init, settings, idempotencyKey)
      return insist(request, settings, proven)
    },
  }
}

interface ReadRequest {
  readonly input: string | URL | Request
  readonly init: RequestInit
  readonly signal: AbortSignal | undefined
  /** Undefined for a safe method. */
  readonly key: string | undefined
  readonly origin: string
  readonly description: string
}

async function readRequest(
  input: string | URL | Request,
  init: RequestInit,
  settings: ClientSettings,
  givenKey: string | undefined,
): Promise<ReadRequest> {
  const given = requestIn(input)
  const method = methodOf(init, given)
  const headers = new Headers(init.headers ?? given?.headers)
  const signal = init.signal ?? given?.signal

  let key: string | undefined
  if (!safeMethods.has(method)) {
    key = givenKey ?? headers.get(settings.header) ?? settings.newKey()
    if (givenKey !== undefined || !headers.has(settings.header)) {
      headers.set(settings.header, keyField(key, settings.format))
    }
  }
  const body = await bodyOf(init, given, headers)
  const url = urlOf(input)
  const read: RequestInit = { ...init, method, headers, body: body ?? null }
  delete read.signal
  // fetch throws the same kind of error for a wrong URL as for a broken network, and this is not worth a retry.
  if (settings.fetch === undefined) void new Request(url, { method, headers })
  return { input, init: read, signal, key, origin: originOf(url), description: `${method} ${url}` }
}

/** The `Request`, where that is what a function like `fetch` was called with. */
export function requestIn(input: string | URL | Request): Request | undefined {
  return typeof input === 'object' && 'method' in input ? input : undefined
}

export function urlOf(input: string | URL | Request): string {
  if (typeof input === 'string') return input
  return 'href' in input ? input.href : input.url
}

export function methodOf(init: RequestInit, given: Request | undefined): string {
  return (init.method ?? given?.method ?? 'GET').toUpperCase()
}

export const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** Sends the request until its answer is final. */
async function insist(
  request: ReadRequest,
  settings: ClientSettings,
  proven: Set<string>,
): Promise<Response> {
  const { input, init, signal, key } = request
  const schedule = new Schedule(
    settings,
    () => key === undefined || !settings.requireSupport || proven.has(request.origin),
  )
  const whole = key !== undefined && settings.wholeAnswer
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted()
    tell(settings, { type: 'sent', attempt, key })
    const outcome = await attemptOnce({
      send: (attemptSignal) => (settings.fetch ?? fetch)(input, { ...init, signal: attemptSignal }),
      signal,
      timeoutMs: schedule.attemptMs,
      whole,
    })
    let waitMs: number | undefined
    if (outcome.kind === 'answer') {
      const { response } = outcome
      if (response.headers.has('idempotency-expires')) proven.add(originOf(response.url || request.origin))
      waitMs = schedule.afterAnswer(viewOf(response, await idempotencyProblem(response)))
      tell(settings, { type: 'answer', attempt, response, waitMs })
      if (waitMs === undefined) return response
      // An answer that nobody reads would hold its connection.
      if (!whole) response.body?.cancel().catch(() => {})
    } else {
      const { error } = outcome
      signal?.throwIfAborted()
      waitMs = schedule.afterFailure()
      tell(settings, { type: 'failed', attempt, error, waitMs })
      if (waitMs === undefined) throw noAnswer(request, attempt, error)
    }
    await pause(waitMs, schedule.leftMs, signal)
  }
}

/** A listener that throws must not lose the answer to a purchase. */
function tell({ on }: ClientSettings, event: ClientEvent): void {
  try {
    on(event)
  } catch (error) {
    console.error(error)
  }
}

function viewOf({ status, headers }: Response, problem: AnsweredProblem | undefined) {
  return { status, header: (name: string) => headers.get(name), problem }
}

export function originOf(url: string): string {
  // Pages have a base for relative URLs, other places do not.
  const { location } = globalThis as { location?: { href: string } }
  const base = location?.href
  return URL.canParse(url, base) ? new URL(url, base).origin : url
}

function noAnswer({ key, description }: ReadRequest, attempts: number, cause: unknown): ClientError {
  return new ClientError(
    'no-answer',
    `No answer came to ${description} (attempts: ${attempts}). ` +
      (key === undefined
        ? 'Try again later.'
        : 'It may or may not have taken effect: send it again with the same key, or look it up.'),
    { cause, ...(key !== undefined && { key }) },
  )
}
