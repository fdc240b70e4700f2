import { Engine } from '../core/engine.ts'
import { type Idempotency, idempotencyOf } from '../core/idempotency.ts'
import { admit, type FetchExchange, passThrough } from '../http/fetch/middleware.ts'
import { Guard } from '../http/guard.ts'
import { boundedByRemaining } from '../http/lambda/bounds.ts'
import { type LambdaEvent, methodOf, requestOf } from '../http/lambda/event.ts'
import { type LambdaResult, responseOf, resultOf } from '../http/lambda/result.ts'
import { type HttpOptions, readHttpOptions } from '../http/options.ts'
import type { RequestIdempotency } from '../http/request-idempotency.ts'
import type { Problem } from '../protocol/problem.ts'

export type { LambdaEvent, LambdaEventV1, LambdaEventV2 } from '../http/lambda/event.ts'
export type { LambdaResult } from '../http/lambda/result.ts'

/** The options of {@link idempotency} on AWS Lambda. */
export interface LambdaOptions<Event extends LambdaEvent = LambdaEvent> extends HttpOptions<Event> {
  /**
   * Answers with a problem in the API's own envelope, as a handler would return it; `Retry-After` and hapax's own
   * headers are added.
   */
  respond?: Respond<Event>
}

export type Respond<Event> = (problem: Problem, event: Event) => unknown

/** What is used of the context that Lambda gives. */
export interface LambdaContext {
  getRemainingTimeInMillis(): number
}

/** A handler as Lambda has it; `event.idempotency` is there on guarded methods only. */
export type LambdaHandler<Event, Context, Result> = (
  event: Event & { idempotency: RequestIdempotency },
  context: Context,
) => Result | Promise<Result>

/** What it makes of a handler. */
export type GuardedLambdaHandler<Event, Context, Result> = (
  event: Event,
  context: Context,
) => Promise<Result | LambdaResult>

/** Guards handlers; it also runs functions, and closes. */
export interface LambdaIdempotency<Event extends LambdaEvent> extends Idempotency {
  <Own extends Event, Context extends LambdaContext, Result>(
    handler: LambdaHandler<Own, Context, Result>,
  ): GuardedLambdaHandler<Own, Context, Result>
}

/**
 * Makes functions on AWS Lambda safe to retry that are called by API Gateway (REST and HTTP APIs) or by a function
 * URL. One for all handlers of a file, made outside of them.
 *
 * A claim lives no longer than the function has time: `lease`, `maxRun` and a wait are bounded by
 * `context.getRemainingTimeInMillis()`.
 *
 * @throws IdempotencyError `invalid-option` for a wrong or unknown option, by name.
 * @see draft-ietf-httpapi-idempotency-key-header-07 (an expired Internet-Draft), section 2
 * @example
 * const once = idempotency({ store: redisStore(redis), scope: (event) => userOf(event).id })
 * export const handler = once(async (event) => ({ statusCode: 201, body: JSON.stringify(await createOrder(event)) }))
 */
export function idempotency<Event extends LambdaEvent = LambdaEvent>(
  options: LambdaOptions<Event>,
): LambdaIdempotency<Event> {
  const { engine, http, respond } = readHttpOptions<Event, Respond<Event>>(options)
  const contexts = new WeakMap<Event, LambdaContext>()
  const remainingMs = (event: Event): number => contexts.get(event)?.getRemainingTimeInMillis() ?? Infinity
  const guard = new Guard<Event>(new Engine(engine), boundedByRemaining(http, remainingMs))

  function once<Own extends Event, Context extends LambdaContext, Result>(
    handler: LambdaHandler<Own, Context, Result>,
  ): GuardedLambdaHandler<Own, Context, Result> {
    return async (given, context) => {
      // Not the event itself, which a program may use again: a retry must not look like a second layer.
      const event = { ...given }
      // On methods that are not guarded the object is missing, as the type of the handler says.
      const run = (): Result | Promise<Result> =>
        handler(event as Own & { idempotency: RequestIdempotency }, context)
      if (!guard.guards(event, methodOf(event))) return run()
      if ('idempotency' in event) {
        guard.engine.misuse.report('mounted-twice')
        return run()
      }
      contexts.set(event, context)
      let own: { readonly response: Response; readonly result: Result } | undefined
      const request = requestOf(event)
      const exchange: FetchExchange = {
        request,
        async run(handed) {
          Object.assign(event, { idempotency: handed })
          const result = await run()
          own = { result, response: responseOf(event, result) }
          return own.response
        },
        respond: respond && (async (problem) => responseOf(event, await respond(problem, event))),
      }
      const response = await passThrough(guard, exchange, admit(guard, { native: event, request }))
      // A request without key passes through: its answer is the handler's own.
      return response === own?.response ? own.result : resultOf(event, response)
    }
  }
  return Object.assign(once, idempotencyOf(guard.engine))
}

/**
 * Guards one handler.
 *
 * @example
 * export const handler = withIdempotency(createOrder, { store, scope: false })
 */
export function withIdempotency<Event extends LambdaEvent, Context extends LambdaContext, Result>(
  handler: LambdaHandler<Event, Context, Result>,
  options: LambdaOptions<Event>,
): GuardedLambdaHandler<Event, Context, Result> & Idempotency {
  const once = idempotency<Event>(options)
  return Object.assign(once(handler), { run: once.run, close: once.close })
}

export default withIdempotency
