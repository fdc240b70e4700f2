import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http'
import type { Finished, Lease } from '../../core/lease.ts'
import type { HeaderList, StoredResponse } from '../../core/record.ts'
import { createProblem, type Problem } from '../../protocol/problem.ts'
import { type ExchangeFacts, setExchangeHeaders } from '../exchange-headers.ts'
import type { Admission, Guard } from '../guard.ts'
import { leasedIdempotency, type RequestIdempotency, unkeyedIdempotency } from '../request-idempotency.ts'
import { captureResponse } from './capture.ts'
import type { CapturedRun } from './captured-run.ts'
import { hideBrokenSocket } from './detached.ts'
import { applyHeaders } from './headers.ts'
import { sendProblem } from './problem.ts'
import { replay } from './replay.ts'
import { type NodeRequest, nodeRequestView } from './request.ts'

/** One request on its way through a Node framework. */
export interface NodeExchange<Request> extends NodeRequest<Request> {
  /** What layers further out have set so far, where the framework keeps that apart until it answers. */
  readonly outerHeaders?: Readonly<Record<string, OutgoingHttpHeader | undefined>>
  /** Answers with a problem in the API's own form; default: a problem document. */
  readonly respond?: ((problem: Problem) => void) | undefined
}

/** `run`: the handler is to run, with this object on its request. `answered`: nothing is left to do. */
export type Passage =
  | { readonly kind: 'run'; readonly idempotency: RequestIdempotency }
  | { readonly kind: 'answered' }

/**
 * Takes a guarded request through the guard, and answers it where the handler must not run. At once where nothing has
 * to be waited for, as for a request without a key: see {@link pass} for callers that must not wait for nothing.
 */
export function passThrough<Request>(
  guard: Guard<Request>,
  exchange: NodeExchange<Request>,
): Passage | Promise<Passage> {
  const admission = guard.admit(nodeRequestView(exchange))
  if (admission instanceof Promise) return admission.then((late) => carryOut(guard, exchange, late))
  return carryOut(guard, exchange, admission)
}

/** As {@link passThrough}, for frameworks that go on by callbacks, and catch what their middleware throws at once. */
export function pass<Request>(
  guard: Guard<Request>,
  exchange: NodeExchange<Request>,
  onPassage: (passage: Passage) => void,
  onError: (error: Error) => void,
): void {
  const passage = passThrough(guard, exchange)
  if (passage instanceof Promise) passage.then(onPassage, onError)
  else onPassage(passage)
}

function carryOut<Request>(
  guard: Guard<Request>,
  exchange: NodeExchange<Request>,
  admission: Admission,
): Passage | Promise<Passage> {
  const { request, response, outerHeaders = {} } = exchange
  switch (admission.kind) {
    case 'unkeyed':
      return { kind: 'run', idempotency: unkeyedIdempotency(guard.unprotected) }
    case 'bypass':
      hideBrokenSocket(request)
      return { kind: 'run', idempotency: unkeyedIdempotency(guard.unprotected) }
    case 'gone':
      return answered
    case 'proceed':
      hideBrokenSocket(request)
      capture(guard, exchange, admission.lease)
      return { kind: 'run', idempotency: leasedIdempotency(admission.lease) }
    case 'replay':
      if (response.destroyed) return answered
      applyHeaders(response, outerHeaders)
      markResponse(response, { replayed: true, expiresAtMs: admission.expiresAtMs })
      return replay(request, response, admission.response, guard.settings.maxRequestBytes).then(
        () => answered,
      )
    case 'reject':
      if (response.destroyed) return answered
      applyHeaders(response, outerHeaders)
      refuse(guard, exchange, admission.problem, admission.expiresAtMs)
      return answered
  }
}

const answered: Passage = { kind: 'answered' }

// On the request itself: a WeakSet of all requests is work for the garbage collector.
const guardedKey: unique symbol = Symbol('guarded by hapax')

/**
 * Marks the request as guarded. False, with a warning, if another middleware guards it already or its
 * response has begun: then there is nothing left to guard.
 */
export function enter(
  guard: Guard<never>,
  request: IncomingMessage & { [guardedKey]?: true },
  response: ServerResponse,
): boolean {
  if (request[guardedKey] === true) {
    guard.engine.misuse.report('mounted-twice')
    return false
  }
  if (response.headersSent) {
    guard.engine.misuse.report('response-began')
    return false
  }
  request[guardedKey] = true
  return true
}

function markResponse(response: ServerResponse, facts: ExchangeFacts): void {
  const target = {
    get: (name: string) => (response.hasHeader(name) ? String(response.getHeader(name)) : null),
    set: (name: string, value: string) => void response.setHeader(name, value),
  }
  setExchangeHeaders(target, facts)
}

function capture<Request>(guard: Guard<Request>, exchange: NodeExchange<Request>, lease: Lease): void {
  const { response, outerHeaders } = exchange
  const run = new NodeRun(guard, exchange, lease)
  if (outerHeaders === undefined) return captureResponse(response, run)
  // They stand on the response while the capture looks, so that it takes them for what they are; the framework
  // sets them again, or leaves out what its handler removes.
  const apart = Object.keys(outerHeaders).filter((name) => !response.hasHeader(name))
  for (const name of apart) applyHeaders(response, { [name]: outerHeaders[name] })
  captureResponse(response, run)
  for (const name of apart) response.removeHeader(name)
}

class NodeRun<Request> implements CapturedRun {
  readonly #guard: Guard<Request>
  readonly #exchange: NodeExchange<Request>
  readonly #lease: Lease

  constructor(guard: Guard<Request>, exchange: NodeExchange<Request>, lease: Lease) {
    this.#guard = guard
    this.#exchange = exchange
    this.#lease = lease
  }

  get maxResponseBytes(): number {
    return this.#guard.settings.maxResponseBytes
  }

  finish(stored: StoredResponse): Promise<Finished> {
    return this.#lease.finish(stored, this.#guard.keepVerdict(stored.status))
  }

  recordable(headers: HeaderList): HeaderList {
    return this.#guard.settings.replayHeaders(headers)
  }

  onHead(headers: HeaderList): void {
    const setsCors = headers.some((header) => header[0].toLowerCase() === 'access-control-allow-origin')
    if (setsCors) this.#guard.engine.misuse.report('cors-after')
  }

  decorate(): void {
    const expiresAtMs = this.#guard.engine.wallClockMs() + this.#lease.held.policy.retainMs
    markResponse(this.#exchange.response, { replayed: false, expiresAtMs })
  }

  refuse(): void {
    refuse(this.#guard, this.#exchange, createProblem('outcome-unknown'), undefined)
  }
}

function refuse<Request>(
  guard: Guard<Request>,
  { response, respond }: NodeExchange<Request>,
  problem: Problem,
  expiresAtMs: number | undefined,
): void {
  for (const [name, value] of problem.headers) response.setHeader(name, value)
  markResponse(response, { replayed: false, expiresAtMs })
  if (respond === undefined) sendProblem(response, problem, guard.settings.problems)
  else respond(problem)
}
