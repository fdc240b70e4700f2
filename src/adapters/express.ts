import type { IncomingMessage, ServerResponse } from 'node:http'
import { Engine } from '../core/engine.ts'
import { unsupportedFramework } from '../core/errors.ts'
import { type Idempotency, idempotencyOf } from '../core/idempotency.ts'
import { Guard } from '../http/guard.ts'
import { enter, pass, type Passage } from '../http/node/middleware.ts'
import { type HttpOptions, readHttpOptions } from '../http/options.ts'
import type { RequestIdempotency } from '../http/request-idempotency.ts'
import type { Problem } from '../protocol/problem.ts'

/** Passes control on, as in every Express middleware. */
export type Next = (error?: unknown) => void

/** The options of {@link idempotency} on Express. */
export interface ExpressOptions<
  Request extends IncomingMessage = IncomingMessage,
  Response extends ServerResponse = ServerResponse,
> extends HttpOptions<Request> {
  /**
   * Answers with a problem in the API's own envelope; status and body are yours to write, `Retry-After` and
   * hapax's own headers are set already. Call `next(error)` to leave it to the app's error handler.
   */
  respond?: Respond<Request, Response>
}

export type Respond<Request, Response = ServerResponse> = (
  problem: Problem,
  request: Request,
  response: Response,
  next: Next,
) => void

/** An Express middleware that also runs functions, and closes. */
export interface ExpressIdempotency extends Idempotency {
  (request: IncomingMessage, response: ServerResponse, next: Next): void
}

/**
 * Makes `POST` and `PATCH` requests with an `Idempotency-Key` safe to retry, on Express 4 and 5.
 *
 * Mount it after CORS and authentication and before body parsers and routes.
 *
 * @throws IdempotencyError `invalid-option` for a wrong or unknown option, by name.
 * Its middleware throws `unsupported-framework` on Express 3.
 * @see draft-ietf-httpapi-idempotency-key-header-07 (an expired Internet-Draft), section 2
 * @example
 * const once = idempotency({ store: sqliteStore('orders.db'), scope: (req: AuthedRequest) => req.user.id })
 * app.use('/api', once, express.json())
 * process.once('SIGTERM', () => server.close(() => once.close()))
 */
export function idempotency<
  Request extends IncomingMessage,
  Response extends ServerResponse = ServerResponse,
>(options: ExpressOptions<Request, Response>): ExpressIdempotency {
  const { engine, http, respond } = readHttpOptions<Request, Respond<Request, Response>>(options)
  const guard = new Guard<Request>(new Engine(engine), http)

  function middleware(incoming: IncomingMessage, outgoing: ServerResponse, next: Next): void {
    // The app's types say which request and response reach this middleware; Express can't be asked.
    const request = incoming as ExpressRequest<Request>
    const response = outgoing as Response
    if (!guard.guards(request, request.method)) return next()
    if (request.app !== undefined && typeof request.app.route !== 'function')
      throw unsupportedFramework('Express', '4 and 5')
    if (!enter(guard, request, response)) return next()
    const target = request.originalUrl ?? request.url ?? ''
    const exchange = {
      native: request,
      request,
      response,
      target,
      parsedBody: request.body,
      respond: respond && ((problem: Problem) => respond(problem, request, response, next)),
    }
    const onPassage = (passage: Passage) => {
      if (passage.kind === 'answered') return
      request.idempotency = passage.idempotency
      next()
    }
    pass(guard, exchange, onPassage, next)
  }
  return Object.assign(middleware, idempotencyOf(guard.engine))
}

export default idempotency

type ExpressRequest<Request> = Request & {
  originalUrl?: string
  app?: { route?: unknown }
  body?: unknown
  idempotency?: RequestIdempotency
}

declare global {
  // Express merges this interface into its own request type.
  namespace Express {
    interface Request {
      /** The idempotency of this request; on guarded methods only. */
      idempotency: RequestIdempotency
    }
  }
}
