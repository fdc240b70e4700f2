import { ReadableStream } from 'node:stream/web'
import type { Idempotency } from '../../../src/core/idempotency.ts'
import { type FetchOptions, withIdempotency } from '../../../src/adapters/fetch.ts'
import type {
  AdapterAnswer,
  AdapterNeed,
  AdapterServer,
  AdapterSubject,
} from '../../../src/testing/adapter.ts'
import { readersOf } from './header-reader.ts'

/** What the runtime passes besides the request goes on to `waitUntil`. */
type Handle = (request: Request, ...context: unknown[]) => Promise<Response>

type Serve = (handle: Handle) => Promise<AdapterServer>

/** A guard for each request, for a runtime where no request may use what another has opened; told of its end. */
type RequestWork = (closed: Promise<void>, ...context: unknown[]) => void

/** What the types of fetch can't do, wherever they are. */
export const fetchLacks: Partial<Record<AdapterNeed, string>> = {
  'repeated lines': 'the Headers of fetch join repeated lines of one name',
  'answers that begin before': 'an answer of fetch begins when its handler has returned it',
}

/** A plain fetch handler on a runtime's server, as the adapter contract drives it. */
export function fetchOn(
  name: string,
  serve: Serve,
  lacks: AdapterSubject['lacks'] = {},
  own: Pick<FetchOptions, 'waitUntil'> = {},
  requestWork?: RequestWork,
): AdapterSubject {
  return {
    name,
    lacks: { ...fetchLacks, 'answers to errors': 'the runtime answers for a handler that throws', ...lacks },
    start(options, handler, mount) {
      const readers = { ...readersOf<Request>(options, ({ headers }) => headers), ...own }
      const guard = (): Handle & Pick<Idempotency, 'close'> => {
        const answering = withIdempotency(async (request) => {
          const answer = await handler({
            idempotency: request.idempotency,
            header: (line) => request.headers.get(line) ?? undefined,
            body: async () => Buffer.from(await request.arrayBuffer()),
          })
          return responseOf(answer)
        }, readers)
        return mount?.twice ? withIdempotency(answering, readers) : answering
      }
      // Where each request has its own, this one keeps the store from being closed with the first of them.
      const lasting = guard()
      return serve(async (request, ...context) => {
        const guarded = requestWork === undefined ? lasting : guard()
        try {
          return await guarded(request, ...context)
        } catch {
          return new Response('broken', { status: 500 })
        } finally {
          requestWork?.(guarded.close(), ...context)
        }
      })
    },
  }
}

export function responseOf(answer: AdapterAnswer): Response {
  const { status } = answer
  const headers = new Headers()
  for (const [name, value] of answer.headers ?? []) headers.append(name, value)
  switch (answer.kind) {
    case 'json':
      return Response.json(answer.value, { status, headers })
    case 'bytes':
      return new Response(Buffer.from(answer.body), { status, headers })
    case 'stream':
      return new Response(ReadableStream.from(answer.chunks()), { status, headers })
    case 'empty':
      return new Response(null, { status, headers })
  }
}
