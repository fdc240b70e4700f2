import { nullBodyStatuses } from '../fetch/replay.ts'
import type { LambdaEvent } from './event.ts'

/** What a function answers, in payload format 1.0 or 2.0. */
export interface LambdaResult {
  readonly statusCode: number
  readonly headers: Record<string, string>
  /** Format 1.0: names that have several lines, which are cookies. */
  readonly multiValueHeaders?: Record<string, string[]>
  /** Format 2.0: a `Set-Cookie` line each. */
  readonly cookies?: string[]
  readonly body: string
  readonly isBase64Encoded: boolean
}

/**
 * What a handler returned, as the gateway would read it.
 *
 * @throws TypeError for what it would not take.
 */
export function responseOf(event: LambdaEvent, result: unknown): Response {
  if (!isObject(result) || !('statusCode' in result)) return inferredResponse(event, result)
  const { statusCode, headers, multiValueHeaders, cookies, body, isBase64Encoded } = result
  const status = Number(statusCode)
  const answer = new Headers()
  for (const [name, value] of entriesOf(headers)) answer.set(name, String(value))
  for (const [name, values] of entriesOf(multiValueHeaders)) {
    answer.delete(name)
    for (const value of listOf(values)) answer.append(name, String(value))
  }
  for (const cookie of listOf(cookies)) answer.append('Set-Cookie', String(cookie))
  const bytes = bytesOf(body, isBase64Encoded === true)
  // As bytes, since a text would be given a type that the handler did not.
  return new Response(nullBodyStatuses.has(status) || bytes.length === 0 ? null : bytes, {
    status,
    headers: answer,
  })
}

/** The same answer for the gateway. */
export async function resultOf(event: LambdaEvent, response: Response): Promise<LambdaResult> {
  const headers: Record<string, string> = {}
  for (const [name, value] of response.headers) {
    // The length of a text in base64 is not the body's: framing is left to the gateway.
    if (name !== 'set-cookie' && name !== 'content-length') headers[name] = value
  }
  const cookies = response.headers.getSetCookie()
  return {
    statusCode: response.status,
    headers,
    ...(cookies.length > 0 &&
      ('httpMethod' in event ? { multiValueHeaders: { 'set-cookie': cookies } } : { cookies })),
    ...encoded(Buffer.from(await response.arrayBuffer())),
  }
}

/** Format 2.0 takes any value for an answer of JSON; format 1.0 does not. */
function inferredResponse(event: LambdaEvent, result: unknown): Response {
  if ('httpMethod' in event) {
    throw new TypeError('The handler must return an object with a statusCode, and returned something else.')
  }
  const body = typeof result === 'string' ? result : (JSON.stringify(result) ?? 'null')
  return new Response(body, { headers: { 'Content-Type': 'application/json' } })
}

function bytesOf(body: unknown, isBase64: boolean): Uint8Array<ArrayBuffer> {
  if (body === undefined || body === null) return new Uint8Array()
  if (typeof body !== 'string') throw new TypeError('The body that the handler returned must be a string.')
  return isBase64 ? Uint8Array.from(Buffer.from(body, 'base64')) : new TextEncoder().encode(body)
}

function encoded(bytes: Buffer): Pick<LambdaResult, 'body' | 'isBase64Encoded'> {
  const body = bytes.toString('utf8')
  return Buffer.from(body, 'utf8').equals(bytes)
    ? { body, isBase64Encoded: false }
    : { body: bytes.toString('base64'), isBase64Encoded: true }
}

type Loose = Readonly<Record<string, unknown>>

function isObject(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null
}

function entriesOf(value: unknown): Array<[string, unknown]> {
  return isObject(value) ? Object.entries(value) : []
}

function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}
