import 'reflect-metadata'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import {
  All,
  Controller,
  type DynamicModule,
  type INestApplication,
  Module,
  Req,
  Res,
  StreamableFile,
  type Type,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { ExpressAdapter } from '@nestjs/platform-express'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import type { FastifyInstance } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Idempotent, IdempotencyModule } from '../../../src/adapters/nest.ts'
import type { RequestIdempotency } from '../../../src/http/request-idempotency.ts'
import type { AdapterSubject } from '../../../src/testing/adapter.ts'
import { headerReader } from './header-reader.ts'
import { running } from './serve.ts'

export const platforms = {
  Express: () => new ExpressAdapter(),
  Fastify: () => new FastifyAdapter({ bodyLimit: 32 * 1024 * 1024 }),
} as const

const everyPath = { Express: ['/', '*path'], Fastify: '*' }

/** Nest as the adapter contract drives it. */
export function nestSubject(platform: keyof typeof platforms): AdapterSubject {
  return {
    name: `Nest 12 on ${platform}`,
    lacks:
      platform === 'Fastify'
        ? {
            'content codings':
              'Nest parses bodies before hapax sees them, and on Fastify its parsers undo no Content-Encoding',
          }
        : {},
    async start(options, handler, mount) {
      class EverythingController {
        async answer(request: NestRequest, response: NestResponse): Promise<unknown> {
          const answer = await handler({
            idempotency: request.idempotency,
            header: (name) => request.headers[name]?.toString(),
            body: () => bodyOf(request),
          })
          response.status(answer.status)
          const lines = new Map<string, string[]>()
          for (const [name, value] of answer.headers ?? [])
            lines.set(name, [...(lines.get(name) ?? []), value])
          for (const [name, values] of lines) response.header(name, values.length === 1 ? values[0] : values)
          switch (answer.kind) {
            case 'json':
              return answer.value
            case 'bytes':
              return new StreamableFile(answer.body, { length: answer.body.length })
            case 'stream':
              return new StreamableFile(Readable.from(answer.chunks()))
            case 'empty':
              return undefined
          }
        }
      }
      decorate(
        EverythingController,
        'answer',
        [All(everyPath[platform]), Idempotent()],
        [Req(), Res({ passthrough: true })],
      )
      Controller()(EverythingController)
      const app = await createApp(
        platform,
        [EverythingController],
        ...Array.from({ length: mount?.twice ? 2 : 1 }, () =>
          IdempotencyModule.forRoot(headerReader<IncomingMessage>(options)),
        ),
      )
      if (mount?.begun) {
        app.use((_request: IncomingMessage, response: ServerResponse, next: () => void) => {
          response.write('begun ')
          next()
        })
      }
      if (platform === 'Fastify') takeEveryType(app)
      await app.listen(0, '127.0.0.1')
      return running(app.getHttpServer())
    },
  }
}

/** Fastify refuses types that it has no parser for. */
function takeEveryType(app: INestApplication): void {
  const instance: FastifyInstance = app.getHttpAdapter().getInstance()
  instance.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
}

/** Nest parses JSON and forms, and keeps their bytes; other bodies are the handler's to read. */
async function bodyOf(request: NestRequest): Promise<Buffer> {
  if (request.rawBody !== undefined) return request.rawBody
  return Buffer.isBuffer(request.body) ? request.body : buffer(request)
}

/** Applies decorators as the compiler would; Node runs these files as they are, and knows none. */
export function decorate(
  target: Type<unknown>,
  method: string,
  methodDecorators: readonly MethodDecorator[],
  parameterDecorators: readonly ParameterDecorator[] = [],
): void {
  const descriptor = Object.getOwnPropertyDescriptor(target.prototype, method)
  if (descriptor === undefined) throw new Error(`No method ${method}`)
  for (const [index, each] of parameterDecorators.entries()) each(target.prototype, method, index)
  for (const each of methodDecorators.toReversed()) each(target.prototype, method, descriptor)
}

export async function createApp(
  platform: keyof typeof platforms,
  controllers: Array<Type<unknown>>,
  ...imports: DynamicModule[]
): Promise<INestApplication> {
  class AppModule {}
  Module({ controllers, imports })(AppModule)
  const app = await NestFactory.create(AppModule, platforms[platform](), { logger: false, rawBody: true })
  return app
}

type NestRequest = IncomingMessage & {
  idempotency: RequestIdempotency
  body: unknown
  rawBody?: Buffer
}

type NestResponse = {
  status(code: number): unknown
  header(name: string, value: unknown): unknown
}
