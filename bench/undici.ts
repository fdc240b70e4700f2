import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'

type FetchHandler = (request: Request) => Response | Promise<Response>

/** A server whose requests and answers are Node's own `Request` and `Response`, as behind SvelteKit, Remix and Next. */
export function undiciServer(handler: FetchHandler): Server {
  return createServer((message, response) => {
    const gone = new AbortController()
    response.once('close', () => {
      if (!response.writableFinished) gone.abort()
    })
    answer(handler, message, response, gone.signal).catch((error: unknown) =>
      response.destroy(asError(error)),
    )
  })
}

async function answer(
  handler: FetchHandler,
  message: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  const { method = 'GET' } = message
  const request = new Request(`http://${message.headers.host ?? 'localhost'}${message.url ?? '/'}`, {
    method,
    headers: headersOf(message),
    body: method === 'GET' || method === 'HEAD' ? null : bodyOf(message),
    duplex: 'half',
    signal,
  })
  const { status, headers, body } = await handler(request)
  response.writeHead(status, [...headers].flat())
  for await (const chunk of body ?? []) {
    if (response.destroyed) break
    if (!response.write(chunk)) await drained(response)
  }
  response.end()
}

function drained(response: ServerResponse): Promise<unknown> {
  return Promise.race(
    ['drain', 'close'].map((name) => new Promise((resolve) => response.once(name, resolve))),
  )
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers()
  for (let index = 0; index < rawHeaders.length; index += 2) {
    headers.append(rawHeaders[index] ?? '', rawHeaders[index + 1] ?? '')
  }
  return headers
}

function bodyOf(message: IncomingMessage): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      message.on('data', (chunk: Buffer) => {
        controller.enqueue(chunk)
        if ((controller.desiredSize ?? 0) <= 0) message.pause()
      })
      message.once('end', () => controller.close())
      message.once('error', (error) => controller.error(error))
    },
    pull() {
      message.resume()
    },
    cancel(reason) {
      message.destroy(asError(reason))
    },
  })
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}
