import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Next } from 'koa'
import { Engine } from '../core/engine.ts'
import { type Idempotency, idempotencyOf } from '../core/idempotency.ts'
import { Guard } from '../http/guard.ts'
import { enter, passThrough } from '../http/node/middleware.ts'
import { type HttpOptions, readHttpOptions } from '../http/options.ts'
import type { RequestIdempotency } from '../http/request-idempotency.ts'
import type { Problem } from '../protocol/problem.ts'

/** What hapax needs of Koa's context. */
export interface KoaContext {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  readonly app: object
  readonly originalUrl: string
  readonly request: object
  /** False where the answer is not Koa's to write. */
  respond?: boolean | undefined
  /** The idempotency of this request; on guarded methods only. */
  idempotency?: RequestIdempotency
}

/** The options of {@link idempotency} on Koa. */
export interface KoaOptions<Context extends KoaContext = KoaContext> extends HttpOptions<Context> {
  /**
   * Answers with a problem in the API's own envelope: set `ctx.status` and `ctx.body`. `Retry-After` and hapax's
   * own headers are set already.
   */
  respond?: Respond<Context>
}

export type Respond<Context> = (problem: Problem, context: Context) => void | Promise<void>

/** A Koa middleware that also runs functions, and closes. */
export interface KoaIdempotency extends Idempotency {
  (context: KoaContext, next: Next): Promise<void>
}

/**
 * Makes `POST` and `PATCH` requests with an `Idempotency-Key` safe to retry, on Koa 2 and 3.
 *
 * Use it after CORS and authentication and before body parsers and routes.
 *
 * @throws IdempotencyError `invalid-option` for a wrong or unknown option, by name.
 * @see draft-ietf-httpapi-idempotency-key-header-07 (an expired Internet-Draft), section 2
 * @example
 * const once = idempotency({ store: sqliteStore('orders.db'), scope: (ctx: AuthedContext) => ctx.state.user.id })
 * app.use(once).use(bodyParser()).use(router.routes())
 * process.once('SIGTERM', () => server.close(() => once.close()))
 */
export function idempotency<Context extends KoaContext>(options: KoaOptions<Context>): KoaIdempotency {
  const { engine, http, respond } = readHttpOptions<Context, Respond<Context>>(options)
  const guard = new Guard<Context>(new Engine(engine), http)

  async function middleware(given: KoaContext, next: Next): Promise<void> {
    // The app's types say which context reaches this middleware; Koa can't be asked.
    const context = given as Context
    const { req: request, res: response } = context
    if (guard.guards(context, request.method) && enter(guard, request, response)) {
      const answer = respond && new KoaAnswer(context, respond)
      const passage = await passThrough(guard, {
        native: context,
        request,
        response,
        target: context.originalUrl,
        parsedBody: Reflect.get(context.request, 'body'),
        respond: answer && ((problem) => answer.give(problem)),
      })
      if (passage.kind === 'answered') {
        if (answer?.given === undefined) context.respond = false
        return answer?.given
      }
      answer?.passOn()
      context.idempotency = passage.idempotency
      if (passage.idempotency.key !== undefined) return next().finally(() => answerWhoeverIsThere(context))
    }
    await next()
  }
  return Object.assign(middleware, idempotencyOf(guard.engine))
}

export default idempotency

/**
 * Koa asks the socket before it writes an answer, and a socket ends some time before anybody is told that its client
 * has left: nothing would be recorded, or an empty answer. Not before the handler is done: until then Koa asks
 * whether to tell of the broken connection.
 */
function answerWhoeverIsThere(context: KoaContext): void {
  const { res } = context
  Object.defineProperty(context, 'writable', { configurable: true, get: () => !res.writableEnded })
}

/** Koa writes an answer when the last middleware has returned, which is over for a lease that was lost late. */
class KoaAnswer<Context extends KoaContext> {
  readonly #context: Context
  readonly #respond: Respond<Context>
  #passedOn = false
  given: Promise<void> | undefined

  constructor(context: Context, respond: Respond<Context>) {
    this.#context = context
    this.#respond = respond
  }

  passOn(): void {
    this.#passedOn = true
  }

  give(problem: Problem): void {
    const context = this.#context
    const respond = async (): Promise<void> => this.#respond(problem, context)
    if (this.#passedOn) Reflect.get(context.app, 'handleRequest').call(context.app, context, respond)
    else this.given = respond()
  }
}

declare module 'koa' {
  interface DefaultContext {
    /** The idempotency of this request; on guarded methods only. */
    idempotency: RequestIdempotency
  }
}
