import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { type LambdaContext, type LambdaEvent, withIdempotency } from '../../../src/adapters/lambda.ts'
import type { AdapterAnswer, AdapterSubject } from '../../../src/testing/adapter.ts'
import { readersOf } from './header-reader.ts'
import { listen } from './serve.ts'

/** Format 1.0 is that of REST APIs, 2.0 that of HTTP APIs and function URLs. */
export type PayloadFormat = '1.0' | '2.0'

/** A function on Lambda as the adapter contract drives it, behind a server that does what API Gateway does. */
export function lambdaSubject(format: PayloadFormat): AdapterSubject {
  return {
    name: `Lambda, payload format ${format}`,
    lacks: {
      'repeated lines': 'payload format 2.0 has one value for each name, and the Headers of fetch join lines',
      'answers that begin before': 'a function returns its answer whole',
      streams: 'a function returns its answer whole',
      departures: 'Lambda does not tell a function that the client has left',
      'answers to errors': 'the gateway answers for a function that failed',
    },
    start(options, handler, mount) {
      const readers = readersOf<LambdaEvent>(options, headersOf)
      const answering = withIdempotency(async (event) => {
        const answer = await handler({
          idempotency: event.idempotency,
          header: (name) => headersOf(event).get(name) ?? undefined,
          body: async () => Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8'),
        })
        return resultOf(format, answer)
      }, readers)
      const guarded = mount?.twice ? withIdempotency(answering, readers) : answering
      return listen(gateway(format, guarded))
    },
  }
}

/** Answers with what a function returns, as API Gateway and function URLs do. */
function gateway(
  format: PayloadFormat,
  invoke: (event: LambdaEvent, context: LambdaContext) => Promise<object>,
  remainingMs = 30_000,
): RequestListener {
  return (request, response) => {
    const answer = async (): Promise<void> => {
      const event = eventOf(format, request, await buffer(request))
      const endMs = Date.now() + remainingMs
      tell(response, await invoke(event, { getRemainingTimeInMillis: () => endMs - Date.now() }))
    }
    answer().catch(() => {
      // A client that left in its request's middle calls no function.
      if (request.destroyed && !request.complete) return
      response.writeHead(500, { 'Content-Type': 'application/json' })
      response.end('{"message":"Internal Server Error"}')
    })
  }
}

function eventOf(format: PayloadFormat, request: IncomingMessage, bytes: Buffer): LambdaEvent {
  const { method = '', url = '/' } = request
  const [path = '/', query = ''] = url.split(/\?(.*)/s)
  const isText = /^(text\/|application\/json)/.test(request.headers['content-type'] ?? '')
  const isBase64Encoded = bytes.length > 0 && (!isText || 'content-encoding' in request.headers)
  const body = bytes.length === 0 ? null : bytes.toString(isBase64Encoded ? 'base64' : 'utf8')
  const lines = Object.entries(request.headersDistinct)
  if (format === '1.0') {
    const parameters = [...new URLSearchParams(query)]
    return {
      httpMethod: method,
      path: decodeURIComponent(path),
      headers: Object.fromEntries(lines.map(([name, values]) => [name, values?.at(-1)])),
      multiValueHeaders: Object.fromEntries(lines),
      multiValueQueryStringParameters:
        query === ''
          ? null
          : Object.fromEntries(
              parameters.map(([name]) => [
                name,
                parameters.filter(([each]) => each === name).map(([, value]) => value),
              ]),
            ),
      body,
      isBase64Encoded,
    }
  }
  const others = lines.filter(([name]) => name !== 'cookie')
  return {
    rawPath: decodeURIComponent(path),
    rawQueryString: query,
    headers: Object.fromEntries(others.map(([name, values]) => [name, values?.join(',')])),
    ...(request.headers.cookie !== undefined && { cookies: request.headers.cookie.split('; ') }),
    requestContext: { http: { method } },
    ...(body !== null && { body }),
    isBase64Encoded,
  }
}

interface Told {
  readonly statusCode?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly multiValueHeaders?: Readonly<Record<string, string[]>>
  readonly cookies?: string[]
  readonly body?: string
  readonly isBase64Encoded?: boolean
}

function tell(response: ServerResponse, result: Told): void {
  const { statusCode = 0, headers = {}, multiValueHeaders = {}, cookies, body = '', isBase64Encoded } = result
  response.statusCode = statusCode
  const type = Object.keys({ ...headers, ...multiValueHeaders }).some((name) => /^content-type$/i.test(name))
  if (!type && body !== '') response.setHeader('Content-Type', 'application/json')
  for (const [name, value] of Object.entries({ ...headers, ...multiValueHeaders }))
    response.setHeader(name, value)
  if (cookies !== undefined) response.setHeader('Set-Cookie', cookies)
  response.end(Buffer.from(body, isBase64Encoded === true ? 'base64' : 'utf8'))
}

function headersOf(event: LambdaEvent): Headers {
  const headers = new Headers()
  for (const [name, value] of Object.entries(event.headers ?? {}))
    if (value !== undefined) headers.set(name, value)
  return headers
}

/** Answers as a function would. */
async function resultOf(format: PayloadFormat, answer: AdapterAnswer): Promise<object> {
  const headers: Record<string, string> = {}
  const cookies: string[] = []
  for (const [name, value] of answer.headers ?? []) {
    if (name.toLowerCase() === 'set-cookie') cookies.push(value)
    else headers[name] = value
  }
  const lists =
    cookies.length === 0
      ? {}
      : format === '1.0'
        ? { multiValueHeaders: { 'Set-Cookie': cookies } }
        : { cookies }
  const head = { statusCode: answer.status, headers, ...lists }
  switch (answer.kind) {
    case 'json':
      return {
        ...head,
        headers: { 'Content-Type': 'application/json', ...headers },
        body: JSON.stringify(answer.value),
      }
    case 'bytes':
      return { ...head, body: Buffer.from(answer.body).toString('base64'), isBase64Encoded: true }
    case 'stream':
      return {
        ...head,
        body: (await buffer(answer.chunks())).toString('base64'),
        isBase64Encoded: true,
      }
    case 'empty':
      return head
  }
}
