import type { Lease } from '../../core/lease.ts'
import type { HeaderList } from '../../core/record.ts'
import { createProblem, type Problem, problemDocument } from '../../protocol/problem.ts'
import { type ExchangeFacts, setExchangeHeaders } from '../exchange-headers.ts'
import type { Admission, Guard } from '../guard.ts'
import { leasedIdempotency, type RequestIdempotency, unkeyedIdempotency } from '../request-idempotency.ts'
import { AnswerHeaders } from './answer-headers.ts'
import { captureResponse } from './capture.ts'
import { discardBody } from './discarded-body.ts'
import { replayed, type WholeAnswer, wholeResponse } from './replay.ts'
import { type FetchRequest, FetchRequestView } from './request.ts'
import { requireAnswer } from './require-answer.ts'

/** One request on its way through a handler that answers with a `Response`. */
export interface FetchExchange {
  readonly request: Request
  /** What layers further out have set so far, where the framework keeps that. */
  readonly outerHeaders?: () => HeaderList
  /** Answers with a problem in the API's own form; default: a problem document. */
  readonly respond?: ((problem: Problem) => Response | Promise<Response>) | undefined
  /** Keeps the runtime from ending before `work` has. */
  readonly waitUntil?: ((work: Promise<unknown>) => void) | undefined
  /** The handler. */
  run(idempotency: RequestIdempotency): Response | Promise<Response>
  /** What a thrown value stands for, where it is an answer and no failure. */
  answerOf?(thrown: unknown): Response | undefined
}

/** On a guarded request, and holds what its handler gets once that runs. */
const entered = Symbol('guarded by hapax')

interface Entered extends Request {
  [entered]?: RequestIdempotency | undefined
}

/**
 * Marks the request as guarded. False, with a warning, if another layer guards it already: then there is
 * nothing left to guard.
 */
export function enter(guard: Guard<never>, request: Entered): boolean {
  if (entered in request) {
    guard.engine.misuse.report('mounted-twice')
    return false
  }
  // Not a set of requests, which the garbage collector would have to go through. Not `Reflect.set`: that is slow.
  request[entered] = undefined
  return true
}

/** Shows a guarded request to the guard. At once where it has no key, so that its adapter can pass it on for nothing. */
export function admit<Native>(
  guard: Guard<Native>,
  request: FetchRequest<Native>,
): Admission | Promise<Admission> {
  return guard.admit(new FetchRequestView(request))
}

export function isUnkeyed(admitted: Admission | Promise<Admission>): boolean {
  return 'kind' in admitted && admitted.kind === 'unkeyed'
}

/** Takes a guarded request to its handler where that is to run, and answers it where not. */
export async function passThrough<Native>(
  guard: Guard<Native>,
  exchange: FetchExchange,
  admitted: Admission | Promise<Admission>,
): Promise<Response> {
  const { request } = exchange
  const admission = await admitted
  switch (admission.kind) {
    case 'unkeyed':
    case 'bypass':
      return exchange.run(unkeyedIdempotency(guard.unprotected))
    case 'gone':
      // Nobody is there to read it; 499 is what servers log for a client that left.
      return new Response(null, { status: 499 })
    case 'proceed': {
      const answer = run(guard, exchange, admission.lease)
      exchange.waitUntil?.(answer.catch(() => {}))
      return answer
    }
    case 'replay': {
      const { response, expiresAtMs } = admission
      // Recorded behind another platform: `Response` allows no such status.
      if (response.status > 599)
        return refuse(guard, exchange, createProblem('response-not-kept'), expiresAtMs)
      const answer = await replayed(request, response, guard.settings.maxRequestBytes)
      return toldResponse(answer, exchange, { replayed: true, expiresAtMs })
    }
    case 'reject':
      discardBody(request)
      return refuse(guard, exchange, admission.problem, admission.expiresAtMs)
  }
}

async function run<Native>(guard: Guard<Native>, exchange: FetchExchange, lease: Lease): Promise<Response> {
  const { request, waitUntil } = exchange
  const outerHeaders = exchange.outerHeaders?.() ?? []
  const clientGone = request.signal
  const idempotency = leasedIdempotency(lease)
  Reflect.set(request, entered, idempotency)
  Object.defineProperty(request, 'signal', signalOfRun)
  // With the headers as they were before the handler set its own.
  const refuseLate = (): Promise<Response> =>
    refuse(
      guard,
      { ...exchange, outerHeaders: () => outerHeaders },
      createProblem('outcome-unknown'),
      undefined,
    )
  let response: Response
  try {
    response = requireAnswer(await answerFrom(exchange, idempotency))
  } catch (error) {
    return failed(guard, lease, error, refuseLate)
  }
  return captureResponse(
    response,
    {
      maxResponseBytes: guard.settings.maxResponseBytes,
      clientGone,
      finish: (stored) => lease.finish(stored, guard.keepVerdict(stored.status)),
      recordable: guard.settings.replayHeaders,
      onHead(headers) {
        const setsCors = headers.some(([name]) => name.toLowerCase() === 'access-control-allow-origin')
        if (setsCors) guard.engine.misuse.report('cors-after')
      },
      decorate(headers) {
        const expiresAtMs = guard.engine.wallClockMs() + lease.held.policy.retainMs
        setExchangeHeaders(headers, { replayed: false, expiresAtMs })
      },
      refuse: refuseLate,
      keepAlive: (work) => waitUntil?.(work),
    },
    outerHeaders,
  )
}

/**
 * What the handler passes this signal to must not break off because its client has left. One for all requests: a function
 * on each would give each a shape of its own.
 */
const signalOfRun: PropertyDescriptor & ThisType<Request> = {
  configurable: true,
  get() {
    // Set by `run`, which defines this.
    return (Reflect.get(this, entered) as RequestIdempotency).signal
  },
}

async function answerFrom(exchange: FetchExchange, idempotency: RequestIdempotency): Promise<Response> {
  try {
    return await exchange.run(idempotency)
  } catch (thrown) {
    const answer = exchange.answerOf?.(thrown)
    if (answer === undefined) throw thrown
    return answer
  }
}

/** What the runtime makes of an error is its own to say, and out of sight: the record says that it failed. */
async function failed<Native>(
  guard: Guard<Native>,
  lease: Lease,
  error: unknown,
  refuseLate: () => Promise<Response>,
): Promise<Response> {
  const stored = { kind: 'kept', status: 500, headers: [], body: new Uint8Array() } as const
  const finished = await lease.finish(stored, guard.keepVerdict(500))
  if (finished === 'withheld') return refuseLate()
  throw error
}

async function refuse<Native>(
  guard: Guard<Native>,
  exchange: FetchExchange,
  problem: Problem,
  expiresAtMs: number | undefined,
): Promise<Response> {
  const { respond } = exchange
  const base = guard.settings.problems
  const answer =
    respond === undefined ? problemAnswer(problem, base) : await wholeAnswer(await respond(problem))
  for (const [name, value] of problem.headers) answer.headers.set(name, value)
  return toldResponse(answer, exchange, { replayed: false, expiresAtMs })
}

/** With the headers that layers further out have set, as an answer of the handler would have. */
function toldResponse(
  answer: WholeAnswer,
  { outerHeaders }: { readonly outerHeaders?: () => HeaderList },
  facts: ExchangeFacts,
): Response {
  const headers = new AnswerHeaders(outerHeaders?.() ?? [])
  headers.override(answer.headers)
  setExchangeHeaders(headers, facts)
  return wholeResponse({ ...answer, headers })
}

async function wholeAnswer(response: Response): Promise<WholeAnswer> {
  const { status, statusText } = response
  const headers = new AnswerHeaders([...response.headers])
  return { status, statusText, headers, body: new Uint8Array(await response.arrayBuffer()) }
}

/** A problem document (RFC 9457). */
function problemAnswer(problem: Problem, base: string): WholeAnswer {
  return {
    status: problem.status,
    headers: new AnswerHeaders([['Content-Type', 'application/problem+json']]),
    body: Buffer.from(JSON.stringify(problemDocument(problem, base))),
  }
}
