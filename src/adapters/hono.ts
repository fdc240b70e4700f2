import type { Context, MiddlewareHandler } from 'hono'
import { Engine } from '../core/engine.ts'
import { unsupportedFramework } from '../core/errors.ts'
import { type Idempotency, idempotencyOf } from '../core/idempotency.ts'
import { optionalFunction } from '../core/option-readers.ts'
import type { HeaderList } from '../core/record.ts'
import { admit, enter, type FetchExchange, isUnkeyed, passThrough } from '../http/fetch/middleware.ts'
import { requireAnswer } from '../http/fetch/require-answer.ts'
import { Guard } from '../http/guard.ts'
import { type HttpOptions, readHttpOptions } from '../http/options.ts'
import { type RequestIdempotency, unkeyedIdempotency } from '../http/request-idempotency.ts'
import type { Problem } from '../protocol/problem.ts'

/** The options of {@link idempotency} on Hono. */
export interface HonoOptions<C extends Context = Context> extends HttpOptions<C> {
  /** Answers with a problem in the API's own envelope; `Retry-After` and hapax's own headers are added. */
  respond?: Respond<C>
  /**
   * Keeps the runtime from ending while an answer is recorded whose client has left: on Workers
   * `(work, c) => c.executionCtx.waitUntil(work)`. Default: nothing, right for servers that stay.
   */
  waitUntil?: (work: Promise<unknown>, context: C) => void
}

export type Respond<C> = (problem: Problem, context: C) => Response | Promise<Response>

/** A Hono middleware that also runs functions, and closes. */
export type HonoIdempotency = MiddlewareHandler & Idempotency

/**
 * Makes `POST` and `PATCH` requests with an `Idempotency-Key` safe to retry, on Hono 4. Handlers find
 * `c.get('idempotency')`.
 *
 * Use it after CORS and authentication and before validators and routes.
 *
 * @throws IdempotencyError `invalid-option` for a wrong or unknown option, by name.
 * Its middleware throws `unsupported-framework` on Hono 3.
 * @see draft-ietf-httpapi-idempotency-key-header-07 (an expired Internet-Draft), section 2
 * @example
 * const once = idempotency({ store: redisStore(redis), scope: (c) => c.get('user').id })
 * app.use('/api/*', cors(), requireUser, once)
 */
export function idempotency<C extends Context>(options: HonoOptions<C>): HonoIdempotency {
  const { waitUntil: given, ...shared } = options
  const waitUntil = optionalFunction<NonNullable<typeof given>>()(given, 'waitUntil')
  const { engine, http, respond } = readHttpOptions<C, Respond<C>>(shared)
  const guard = new Guard<C>(new Engine(engine), http)

  const middleware: MiddlewareHandler = async (incoming, next) => {
    // The app's types say which context reaches this middleware; Hono can't be asked.
    const context = incoming as C
    const admitted = admitKeyed(context)
    if (admitted === undefined) {
      // Not `return next()`: what that resolves to Hono would take for the answer of a handler that returned none.
      await next()
      return
    }
    const exchange: FetchExchange = {
      request: context.req.raw,
      outerHeaders: () => headersSetBefore(context),
      async run(own) {
        context.set('idempotency', own)
        await next()
        // Where nothing was returned, Hono would make an empty answer of it.
        return requireAnswer(context.finalized ? context.res : undefined)
      },
      respond: respond && ((problem) => respond(problem, context)),
      waitUntil: waitUntil && ((work) => waitUntil(work, context)),
    }
    const response = await passThrough(guard, exchange, admitted)
    // Hono would merge the headers of the answer before into the one that replaces it.
    context.res = undefined
    context.res = response
  }

  /** `undefined` for a request that only passes through. At once, so that it costs nothing. */
  function admitKeyed(context: C): ReturnType<typeof admit> | undefined {
    const request = context.req.raw
    if (!guard.guards(context, request.method)) return undefined
    if (!('getLayout' in context)) throw unsupportedFramework('Hono', '4')
    if (!enter(guard, request)) return undefined
    const admitted = admit(guard, { native: context, request, readBefore: bytesReadBefore })
    if (!isUnkeyed(admitted)) return admitted
    context.set('idempotency', unkeyedIdempotency(guard.unprotected))
    return undefined
  }

  return Object.assign(middleware, idempotencyOf(guard.engine))
}

export default idempotency

/**
 * What an answer of Hono's would have. `c.res` is asked only where there is something: to ask is to make a response, whose
 * headers Hono then copies into each that follows.
 */
function headersSetBefore(context: Context): HeaderList {
  const headers = [...context.body(null, 200).headers]
  // So that they go out with a response which is not of Hono's making, too.
  if (headers.length > 0) void context.res
  return headers
}

/** Hono keeps what a middleware has read; a form's bytes, with its boundary, are lost. */
async function bytesReadBefore(context: Context): Promise<Uint8Array | undefined> {
  if ('formData' in context.req.bodyCache) return undefined
  try {
    // Not `bytes()`, which Hono has since 4.13 only.
    return new Uint8Array(await context.req.arrayBuffer())
  } catch {
    // Before 4.4 what was read as one type can't be had as another.
    return undefined
  }
}

declare module 'hono' {
  interface ContextVariableMap {
    /** The idempotency of this request; on guarded methods only. */
    idempotency: RequestIdempotency
  }
}
