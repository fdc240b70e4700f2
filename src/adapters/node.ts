import type { IncomingMessage, ServerResponse } from 'node:http'
import { Engine } from '../core/engine.ts'
import { type Idempotency, idempotencyOf } from '../core/idempotency.ts'
import { Guard } from '../http/guard.ts'
import { enter, passThrough } from '../http/node/middleware.ts'
import { type HttpOptions, readHttpOptions } from '../http/options.ts'
import type { RequestIdempotency } from '../http/request-idempotency.ts'
import type { Problem } from '../protocol/problem.ts'

/** The options of {@link idempotency} on bare Node. */
export interface NodeOptions<
  Request extends IncomingMessage = IncomingMessage,
  Response extends ServerResponse = ServerResponse,
> extends HttpOptions<Request> {
  /**
   * Answers with a problem in the API's own envelope; status and body are yours to write, `Retry-After` and
   * hapax's own headers are set already.
   */
  respond?: Respond<Request, Response>
}

export type Respond<Request, Response = ServerResponse> = (
  problem: Problem,
  request: Request,
  response: Response,
) => void

/** Guards handlers; it also runs functions, and closes. */
export interface NodeIdempotency<Request, Response> extends Idempotency {
  /** The guarded handler. Its promise rejects with what the handler throws. */
  <Req extends Request, Res extends Response>(
    handler: NodeHandler<Req, Res>,
  ): (request: Req, response: Res) => Promise<void>
}

/** A handler of Node's own; `request.idempotency` is there on guarded methods only. */
export type NodeHandler<Request, Response> = (
  request: Request & { idempotency: RequestIdempotency },
  response: Response,
) => unknown

/**
 * Makes handlers of `node:http`, and of Next's pages API, safe to retry.
 *
 * @throws IdempotencyError `invalid-option` for a wrong or unknown option, by name.
 * @see draft-ietf-httpapi-idempotency-key-header-07 (an expired Internet-Draft), section 2
 * @example
 * const once = idempotency({ store: sqliteStore('orders.db'), scope: false })
 * const server = createServer(once((request, response) => createOrder(request, response)))
 * process.once('SIGTERM', () => server.close(() => once.close()))
 */
export function idempotency<
  Request extends IncomingMessage = IncomingMessage,
  Response extends ServerResponse = ServerResponse,
>(options: NodeOptions<Request, Response>): NodeIdempotency<Request, Response> {
  const { engine, http, respond } = readHttpOptions<Request, Respond<Request, Response>>(options)
  const guard = new Guard<Request>(new Engine(engine), http)

  function once<Req extends Request, Res extends Response>(handler: NodeHandler<Req, Res>) {
    return async (request: Req & Guarded, response: Res): Promise<void> => {
      if (guard.guards(request, request.method) && enter(guard, request, response)) {
        const passage = await passThrough(guard, {
          native: request,
          request,
          response,
          target: request.url ?? '',
          parsedBody: request.body,
          respond: respond && ((problem) => respond(problem, request, response)),
        })
        if (passage.kind === 'answered') return
        request.idempotency = passage.idempotency
      }
      // On methods that are not guarded the object is missing, as the type of the handler says.
      await handler(request as Req & { idempotency: RequestIdempotency }, response)
    }
  }
  return Object.assign(once, idempotencyOf(guard.engine))
}

export default idempotency

type Guarded = { body?: unknown; idempotency?: RequestIdempotency }
