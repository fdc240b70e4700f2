import type { Context, MiddlewareHandler } from 'hono'
import { Engine } from '../core/engine.ts'
import { unsupportedFramework } from '../core/errors.ts'
import { type Idempotency, idempotencyOf } from '../core/idempotency.ts'
import { optionalFunction } from '../core/option-readers.ts'
import { enter, passThrough } from '../http/fetch/middleware.ts'
import { Guard } from '../http/guard.ts'
import { type HttpOptions, readHttpOptions } from '../http/options.ts'
import type { RequestIdempotency } from '../http/request-idempotency.ts'
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
    const request = context.req.raw
    if (!guard.guards(context, request.method)) return next()
    if (!('getLayout' in context)) throw unsupportedFramework('Hono', '4')
    if (!enter(guard, request)) return next()
    const response = await passThrough(guard, {
      native: context,
      request,
      outerHeaders: () => [...context.res.headers],
      readBefore: () => bytesReadBefore(context),
      async run(own) {
        context.set('idempotency', own)
        await next()
        return context.res
      },
      respond: respond && ((problem) => respond(problem, context)),
      waitUntil: waitUntil && ((work) => waitUntil(work, context)),
    })
    // Hono would merge the headers of the answer before into the one that replaces it.
    context.res = undefined
    context.res = response
  }
  return Object.assign(middleware, idempotencyOf(guard.engine))
}

export default idempotency

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
