import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  type CallHandler,
  createParamDecorator,
  type DynamicModule,
  type ExecutionContext,
  type FactoryProvider,
  type HttpException,
  Module,
  type ModuleMetadata,
  type NestInterceptor,
  type OnApplicationShutdown,
  RequestMethod,
  SetMetadata,
} from '@nestjs/common'
import { APP_INTERCEPTOR, Reflector } from '@nestjs/core'
import { type Observable, of } from 'rxjs'
import { Engine } from '../core/engine.ts'
import { unsupportedFramework } from '../core/errors.ts'
import { type Idempotency as Runner, idempotencyOf } from '../core/idempotency.ts'
import { Guard } from '../http/guard.ts'
import { keepConnection } from '../http/node/kept-connection.ts'
import { enter, passThrough } from '../http/node/middleware.ts'
import { type HttpOptions, readHttpOptions, readRouteOptions, type RouteOptions } from '../http/options.ts'
import type { RequestIdempotency } from '../http/request-idempotency.ts'
import type { Problem } from '../protocol/problem.ts'

/** The options of {@link IdempotencyModule.forRoot}. `Request` is that of the platform. */
export interface NestIdempotencyOptions<Request = IncomingMessage> extends HttpOptions<Request> {
  /** Makes the exception that your filters answer with, in place of a problem document. */
  respond?: Respond<Request>
}

export type Respond<Request> = (problem: Problem, request: Request) => HttpException

/** Options that a factory makes, as in other modules of Nest. */
export interface NestIdempotencyAsyncOptions<Request = IncomingMessage>
  extends Pick<ModuleMetadata, 'imports'>,
    Pick<FactoryProvider<NestIdempotencyOptions<Request>>, 'inject' | 'useFactory'> {}

/**
 * Guards the handlers that `@Idempotent()` marks, on Express and on Fastify, in Nest 10 to 12. It runs behind
 * guards and before pipes and other interceptors of the handler, and closes when the application shuts down.
 *
 * @throws IdempotencyError `invalid-option` for a wrong or unknown option, by name; `unsupported-framework` on Nest 9.
 * @see draft-ietf-httpapi-idempotency-key-header-07 (an expired Internet-Draft), section 2
 * @example
 * ⁣@Module({ imports: [IdempotencyModule.forRoot({ store, scope: (request: AuthedRequest) => request.user.id })] })
 * export class AppModule {}
 */
export class IdempotencyModule {
  static forRoot<Request = IncomingMessage>(options: NestIdempotencyOptions<Request>): DynamicModule {
    return IdempotencyModule.forRootAsync<Request>({ useFactory: () => options })
  }

  static forRootAsync<Request = IncomingMessage>({
    imports = [],
    inject = [],
    useFactory,
  }: NestIdempotencyAsyncOptions<Request>): DynamicModule {
    if (!('SEARCH' in RequestMethod)) throw unsupportedFramework('Nest', '10 to 12')
    return {
      module: IdempotencyModule,
      global: true,
      imports,
      providers: [
        {
          provide: IdempotencyService,
          inject,
          useFactory: async (...dependencies: unknown[]) =>
            new IdempotencyService<Request>(await useFactory(...dependencies)),
        },
        {
          provide: APP_INTERCEPTOR,
          inject: [IdempotencyService, Reflector],
          useFactory: (service: IdempotencyService<Request>, reflector: Reflector) =>
            new IdempotencyInterceptor(service, reflector),
        },
      ],
      exports: [IdempotencyService],
    }
  }
}

/** Inject it to run functions once: consumers, jobs. */
export class IdempotencyService<Request = IncomingMessage> implements Runner, OnApplicationShutdown {
  readonly run: Runner['run']
  readonly close: Runner['close']
  /** The guard of a route: the module's options, and those of the route in their place. */
  readonly guardWith: (route: RouteOptions<Request>) => Guard<Request>
  readonly respond: Respond<Request> | undefined

  constructor(options: NestIdempotencyOptions<Request>) {
    const { engine: settings, http, respond } = readHttpOptions<Request, Respond<Request>>(options)
    const engine = new Engine(settings)
    const guard = new Guard<Request>(engine, http)
    const { run, close } = idempotencyOf(engine)
    this.run = run
    this.close = close
    this.respond = respond
    this.guardWith = (route) =>
      Object.keys(route).length === 0 ? guard : new Guard(engine, readRouteOptions(options, route))
  }

  onApplicationShutdown(): Promise<void> {
    return this.close()
  }
}

const routeOptions = 'hapax:idempotent'

/**
 * Marks a handler, or each handler of a controller: a retry gets the first answer. Options given here replace the
 * module's for this route; `false` takes a handler out again.
 *
 * @throws IdempotencyError `invalid-option` for a wrong or unknown option, by name.
 */
export function Idempotent<Request = IncomingMessage>(
  options: RouteOptions<Request> | false = {},
): ClassDecorator & MethodDecorator {
  if (options !== false) readRouteOptions({ scope: false }, options)
  return SetMetadata(routeOptions, options)
}

/** The {@link RequestIdempotency} of this request, as a parameter of its handler. */
export const Idempotency: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext): RequestIdempotency | undefined =>
    context.switchToHttp().getRequest<PlatformRequest>().idempotency,
)

class IdempotencyInterceptor<Request> implements NestInterceptor {
  readonly #service: IdempotencyService<Request>
  readonly #reflector: Reflector
  readonly #guards = new WeakMap<object, Map<object, Guard<Request> | undefined>>()

  constructor(service: IdempotencyService<Request>, reflector: Reflector) {
    this.#service = service
    this.#reflector = reflector
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    if (context.getType() !== 'http') return next.handle()
    const guard = this.#guardOf(context)
    const native = context.switchToHttp().getRequest<PlatformRequest & Request>()
    const reply = context.switchToHttp().getResponse<PlatformResponse>()
    // Fastify wraps Node's objects, and keeps headers apart until it answers.
    const { raw: request = native } = native
    const { raw: response = reply } = reply
    if (!guard?.guards(native, request.method) || !enter(guard, request, response)) return next.handle()

    let refused: HttpException | undefined
    let passed = false
    const respond = this.#service.respond
    const passage = await passThrough(guard, {
      native,
      request,
      response,
      target: native.originalUrl ?? request.url ?? '',
      parsedBody: native.body,
      rawBody: native.rawBody ?? (native.body instanceof Uint8Array ? native.body : undefined),
      outerHeaders: reply.raw === undefined ? {} : reply.getHeaders(),
      respond:
        respond &&
        ((problem) => {
          refused = respond(problem, native)
          if (passed) sendException(response, refused)
        }),
    })
    if (refused !== undefined) throw refused
    if (passage.kind === 'answered') return of(answered(reply))
    passed = true
    if (passage.idempotency.key !== undefined) keepConnection(request, response)
    native.idempotency = passage.idempotency
    return next.handle()
  }

  #guardOf(context: ExecutionContext): Guard<Request> | undefined {
    const [controller, handler] = [context.getClass(), context.getHandler()]
    const guards = this.#guards.get(controller) ?? new Map()
    this.#guards.set(controller, guards)
    if (!guards.has(handler)) {
      const [own, shared] = [handler, controller].map((target) =>
        this.#reflector.get<RouteOptions<Request> | false | undefined>(routeOptions, target),
      )
      const marked = own !== false && (own !== undefined || (shared ?? false) !== false)
      guards.set(handler, marked ? this.#service.guardWith({ ...shared, ...own }) : undefined)
    }
    return guards.get(handler)
  }
}

/** Nest answers with whatever an interceptor emits, and this request is answered. */
function answered(reply: PlatformResponse): undefined {
  for (const name of ['status', 'code', 'send', 'json', 'render', 'redirect', 'header', 'setHeader']) {
    if (name in reply) Reflect.set(reply, name, () => reply)
  }
}

/** Too late for a filter: as Nest's own would answer. */
function sendException(response: ServerResponse, exception: HttpException): void {
  response.statusCode = exception.getStatus()
  response.setHeader('Content-Type', 'application/json; charset=utf-8')
  response.end(JSON.stringify(exception.getResponse()))
}

type PlatformRequest = IncomingMessage & {
  readonly raw?: IncomingMessage
  readonly originalUrl?: string
  readonly body?: unknown
  /** With Nest's `rawBody: true`. */
  readonly rawBody?: Uint8Array
  idempotency?: RequestIdempotency
}

type PlatformResponse = ServerResponse & { readonly raw?: ServerResponse }

// As a decorator would; Node runs these sources as they are, and knows no decorators.
Module({})(IdempotencyModule)
