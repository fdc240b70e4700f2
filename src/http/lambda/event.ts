/** What API Gateway's HTTP APIs and function URLs send: payload format 2.0. */
export interface LambdaEventV2 {
  readonly rawPath: string
  readonly rawQueryString: string
  readonly headers: Values
  readonly cookies?: readonly string[] | undefined
  readonly body?: string | null | undefined
  readonly isBase64Encoded: boolean
  readonly requestContext: { readonly http: { readonly method: string } }
}

/** What API Gateway's REST APIs send, and HTTP APIs where they are told to: payload format 1.0. */
export interface LambdaEventV1 {
  readonly httpMethod: string
  readonly path: string
  readonly headers: Values | null
  readonly multiValueHeaders?: Lists | null | undefined
  readonly queryStringParameters?: Values | null | undefined
  readonly multiValueQueryStringParameters?: Lists | null | undefined
  readonly body: string | null
  readonly isBase64Encoded: boolean
}

export type LambdaEvent = LambdaEventV1 | LambdaEventV2

type Values = Readonly<Record<string, string | undefined>>
type Lists = Readonly<Record<string, readonly string[] | undefined>>

/**
 * The method of the request that an event stands for.
 *
 * @throws TypeError for an event that stands for none: of a queue, or of a timer.
 */
export function methodOf(event: LambdaEvent): string {
  if ('httpMethod' in event) return event.httpMethod
  // Whatever triggers the function sends its events.
  const method: unknown = event.requestContext?.http?.method
  if (typeof method === 'string') return method
  throw new TypeError(
    'hapax/lambda guards requests of API Gateway and of function URLs, and this event is none. For queues and timers use run() of hapax.',
  )
}

/** The request that an event stands for. Its host is made up: nothing asks for it. */
export function requestOf(event: LambdaEvent): Request {
  const headers = new Headers()
  for (const [name, value] of headerLines(event)) headers.append(name, latin1(value))
  return new Request(`https://lambda.invalid${targetOf(event)}`, {
    method: methodOf(event),
    headers,
    body: bodyOf(event),
  })
}

function* headerLines(event: LambdaEvent): Generator<readonly [name: string, value: string]> {
  const lists = 'httpMethod' in event ? event.multiValueHeaders : undefined
  for (const [name, value] of Object.entries(lists ?? event.headers ?? {})) {
    for (const line of typeof value === 'object' ? value : [value]) if (line !== undefined) yield [name, line]
  }
  // Format 2.0 takes them out of the headers.
  if ('rawPath' in event && event.cookies?.length) yield ['cookie', event.cookies.join('; ')]
}

function targetOf(event: LambdaEvent): string {
  if ('rawPath' in event) return target(event.rawPath, event.rawQueryString)
  const { multiValueQueryStringParameters: lists, queryStringParameters: values } = event
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(lists ?? values ?? {})) {
    for (const each of typeof value === 'object' ? value : [value]) query.append(name, each ?? '')
  }
  return target(event.path, query.toString())
}

/** Paths come decoded: a `?` in one is part of it. */
function target(path: string, query: string): string {
  const encoded = path.replaceAll('?', '%3F').replaceAll('#', '%23')
  return query === '' ? encoded : `${encoded}?${query.replaceAll('#', '%23')}`
}

function bodyOf({ body, isBase64Encoded }: LambdaEvent): Uint8Array<ArrayBuffer> | null {
  if (body === undefined || body === null || body === '') return null
  return isBase64Encoded ? Uint8Array.from(Buffer.from(body, 'base64')) : new TextEncoder().encode(body)
}

/** `Headers` holds bytes; a gateway shows them decoded. */
function latin1(value: string): string {
  return Buffer.from(value, 'utf8').toString('latin1')
}
