import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import { Engine } from '../core/engine.ts'
import { idempotencyOf } from '../core/idempotency.ts'
import { Guard } from '../http/guard.ts'
import { enter, pass, type Passage } from '../http/node/middleware.ts'
import { type HttpOptions, readHttpOptions, readRouteOptions, type RouteOptions } from '../http/options.ts'
import type { RequestIdempotency } from '../http/request-idempotency.ts'
import type { Problem } from '../protocol/problem.ts'

/** The options of the plugin. */
export interface FastifyIdempotencyOptions extends HttpOptions<FastifyRequest> {
  /** Answers with a problem in the API's own envelope. `Retry-After` and hapax's own headers are set already. */
  respond?: Respond
}

export type Respond = (problem: Problem, request: FastifyRequest, reply: FastifyReply) => unknown

/** What a route says in its `config`: options of its own, or `false` not to be guarded. */
export type FastifyRouteIdempotency = RouteOptions<FastifyRequest> | false

/**
 * Makes `POST` and `PATCH` requests with an `Idempotency-Key` safe to retry, on Fastify 5: those of the instance
 * that it is registered on, and of instances within. It runs before bodies are parsed, behind every `onRequest`
 * hook, and closes with the instance.
 *
 * @throws IdempotencyError `invalid-option` for a wrong or unknown option, by name.
 * @see draft-ietf-httpapi-idempotency-key-header-07 (an expired Internet-Draft), section 2
 * @example
 * await app.register(idempotency, { store: sqliteStore('orders.db'), scope: (request) => request.user.id })
 * app.post('/orders', { config: { idempotency: { required: true } } }, createOrder)
 */
export const idempotency: FastifyPluginAsync<FastifyIdempotencyOptions> = async (app, options) => {
  const { engine, http, respond } = readHttpOptions<FastifyRequest, Respond>(options)
  const guard = new Guard<FastifyRequest>(new Engine(engine), http)
  const routeGuards = new WeakMap<object, Guard<FastifyRequest>>()

  function guardOf(route: FastifyRouteIdempotency | undefined): Guard<FastifyRequest> | undefined {
    if (typeof route !== 'object') return route === false ? undefined : guard
    const known = routeGuards.get(route) ?? new Guard(guard.engine, readRouteOptions(options, route))
    routeGuards.set(route, known)
    return known
  }

  if (!app.hasRequestDecorator('idempotency')) app.decorateRequest('idempotency')
  // Here, so that a wrong option of a route fails when the route is declared.
  app.addHook('onRoute', (route) => void guardOf(route.config?.idempotency))
  app.addHook('onClose', () => idempotencyOf(guard.engine).close())
  app.addHook('preParsing', (request, reply, _payload, next) => {
    const own = guardOf(request.routeOptions.config.idempotency)
    if (own === undefined || !own.guards(request, request.method) || !enter(own, request.raw, reply.raw))
      return next()
    const outerHeaders = reply.getHeaders()
    let fastifyResponds = false
    const exchange = {
      native: request,
      request: request.raw,
      response: reply.raw,
      target: request.originalUrl,
      parsedBody: request.body,
      outerHeaders,
      respond:
        respond &&
        ((problem: Problem) => {
          fastifyResponds = true
          // What a handler has set whose lease was lost must not be told.
          const headers = { ...outerHeaders, ...reply.raw.getHeaders() }
          for (const name of Object.keys(reply.getHeaders())) reply.removeHeader(name)
          reply.headers(headers)
          respond(problem, request, reply)
        }),
    }
    const onPassage = (passage: Passage) => {
      if (passage.kind === 'run') {
        request.idempotency = passage.idempotency
        next()
      } else if (!fastifyResponds) reply.hijack()
    }
    pass(own, exchange, onPassage, next)
  })
}

// As fastify-plugin marks a plugin whose hooks are for the instance that registers it.
Object.assign(idempotency, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'hapax',
  [Symbol.for('plugin-meta')]: { name: 'hapax', fastify: '5.x' },
})

export default idempotency

declare module 'fastify' {
  interface FastifyRequest {
    /** The idempotency of this request; on guarded methods only. */
    idempotency: RequestIdempotency
  }
  interface FastifyContextConfig {
    /** Options of this route alone, or `false` not to guard it. */
    idempotency?: FastifyRouteIdempotency
  }
}
