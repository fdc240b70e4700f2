import { Engine } from '../core/engine.ts'
import { type Idempotency, idempotencyOf } from '../core/idempotency.ts'
import { optionalFunction } from '../core/option-readers.ts'
import { admit, enter, type FetchExchange, isUnkeyed, passThrough } from '../http/fetch/middleware.ts'
import { Guard } from '../http/guard.ts'
import { type HttpOptions, readHttpOptions } from '../http/options.ts'
import { type RequestIdempotency, unkeyedIdempotency } from '../http/request-idempotency.ts'
import type { Problem } from '../protocol/problem.ts'

/** The options of {@link idempotency} for handlers that answer a `Request` with a `Response`. */
export interface FetchOptions<Req extends Request = Request, Context extends unknown[] = unknown[]>
  extends HttpOptions<Req> {
  /** Answers with a problem in the API's own envelope; `Retry-After` and hapax's own headers are added. */
  respond?: Respond<Req>
  /**
   * Keeps the runtime from ending while an answer is recorded whose client has left: on Workers
   * `(work, request, env, context) => context.waitUntil(work)`. Default: nothing, right for servers that stay.
   */
  waitUntil?: (work: Promise<unknown>, request: Req, ...context: Context) => void
  /**
   * What a thrown value stands for, where a framework throws answers: SvelteKit's `redirect`, for example. A
   * thrown `Response` is one by itself. Anything else is recorded as a failure, and thrown on.
   */
  answerOf?: (thrown: unknown) => Response | undefined
}

export type Respond<Req> = (problem: Problem, request: Req) => Response | Promise<Response>

/** A handler as the runtimes have it; `request.idempotency` is there on guarded methods only. */
export type FetchHandler<Req extends Request, Context extends unknown[]> = (
  request: Req & { idempotency: RequestIdempotency },
  ...context: Context
) => Response | Promise<Response>

/** What it makes of a handler. */
export type GuardedHandler<Req extends Request, Context extends unknown[]> = (
  request: Req,
  ...context: Context
) => Promise<Response>

/** Guards handlers; it also runs functions, and closes. */
export interface FetchIdempotency<Req extends Request, Context extends unknown[]> extends Idempotency {
  <OwnReq extends Req, Own extends Context>(handler: FetchHandler<OwnReq, Own>): GuardedHandler<OwnReq, Own>
}

/**
 * Makes handlers that answer a `Request` with a `Response` safe to retry: Next's route handlers, SvelteKit,
 * Remix, `Bun.serve`, `Deno.serve`, Workers. One for all handlers that share a store.
 *
 * @throws IdempotencyError `invalid-option` for a wrong or unknown option, by name.
 * @see draft-ietf-httpapi-idempotency-key-header-07 (an expired Internet-Draft), section 2
 * @example
 * const once = idempotency({ store: redisStore(redis), scope: (request) => userOf(request).id })
 * export const POST = once(async (request) => Response.json(await createOrder(request), { status: 201 }))
 */
export function idempotency<Req extends Request = Request, Context extends unknown[] = unknown[]>(
  options: FetchOptions<Req, Context>,
): FetchIdempotency<Req, Context> {
  const { waitUntil: givenWait, answerOf: givenAnswers, ...shared } = options
  const waitUntil = optionalFunction<NonNullable<typeof givenWait>>()(givenWait, 'waitUntil')
  const answerOf = optionalFunction<NonNullable<typeof givenAnswers>>()(givenAnswers, 'answerOf')
  const { engine, http, respond } = readHttpOptions<Req, Respond<Req>>(shared)
  const guard = new Guard<Req>(new Engine(engine), http)

  function once<OwnReq extends Req, Own extends Context>(
    handler: FetchHandler<OwnReq, Own>,
  ): GuardedHandler<OwnReq, Own> {
    return async (request, ...context) => {
      // On methods that are not guarded the object is missing, as the type of the handler says.
      const own = request as OwnReq & { idempotency: RequestIdempotency }
      if (!guard.guards(request, request.method) || !enter(guard, request)) return handler(own, ...context)
      const admitted = admit(guard, { native: request, request })
      if (isUnkeyed(admitted)) {
        own.idempotency = unkeyedIdempotency(guard.unprotected)
        return handler(own, ...context)
      }
      const exchange: FetchExchange = {
        request,
        run(given) {
          own.idempotency = given
          return handler(own, ...context)
        },
        answerOf: (thrown) => (thrown instanceof Response ? thrown : answerOf?.(thrown)),
        respond: respond && ((problem) => respond(problem, request)),
        waitUntil: waitUntil && ((work) => waitUntil(work, request, ...context)),
      }
      return passThrough(guard, exchange, admitted)
    }
  }
  return Object.assign(once, idempotencyOf(guard.engine))
}

/**
 * Guards one handler.
 *
 * @example
 * export default { fetch: withIdempotency((request) => createOrder(request), { store, scope: false }) }
 */
export function withIdempotency<Req extends Request = Request, Context extends unknown[] = unknown[]>(
  handler: FetchHandler<Req, Context>,
  options: FetchOptions<Req, Context>,
): GuardedHandler<Req, Context> & Idempotency {
  const once = idempotency<Req, Context>(options)
  return Object.assign(once(handler), { run: once.run, close: once.close })
}

export default withIdempotency
