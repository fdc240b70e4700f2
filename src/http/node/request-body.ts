import type { IncomingMessage } from 'node:http'
import type { RequestBody } from '../guard.ts'
import { gatherArriving, isArriving } from './arriving-body.ts'
import { type BodyExchange, bytesBody } from './body-bytes.ts'
import { isComplete, readAndPutBack } from './put-back-body.ts'

/** The whole body, which a parser behind hapax finds as if nobody had touched it. */
export function readBody(exchange: ReadExchange, maxBytes: number): RequestBody | Promise<RequestBody> {
  const { request, parsedBody } = exchange
  if (hasNoBody(request)) return bytesBody(exchange, Buffer.alloc(0), maxBytes)
  if (wasRead(request)) return parsedBefore(request, parsedBody)
  if (declaredLength(request) > maxBytes) return { kind: 'too-large' }
  return isArriving(request) ? gatherArriving(exchange, maxBytes) : readAndPutBack(exchange, maxBytes)
}

interface ReadExchange extends BodyExchange {
  /** What a parser that ran before left, or `undefined`. */
  readonly parsedBody: unknown
}

function hasNoBody(request: IncomingMessage): boolean {
  // Whole and empty: to listen to it now would make it say `end` before a parser listens.
  if (isComplete(request) && request.readableLength === 0 && !wasRead(request)) return true
  const { 'content-length': length, 'transfer-encoding': coding } = request.headers
  // HTTP/2 may send a body with neither field; only the end of its stream tells.
  if (request.httpVersionMajor > 1) return false
  return coding === undefined && (length === undefined || Number(length) === 0)
}

function wasRead(request: IncomingMessage): boolean {
  return request.readableDidRead || request.readableEnded
}

/**
 * A value that stands for a multipart body leaves its files out, so two uploads would seem the same: only the
 * bytes will do.
 */
function parsedBefore(request: IncomingMessage, parsedBody: unknown): RequestBody {
  const multipart = request.headers['content-type']?.trim().toLowerCase().startsWith('multipart/') ?? false
  if (parsedBody === undefined || multipart || !request.readableEnded) return { kind: 'consumed' }
  if (isEmptyObject(parsedBody) && !mayBeObject(request)) return { kind: 'consumed' }
  return { kind: 'value', value: parsedBody }
}

/** Express 4's parsers leave `{}` for a body of another type than theirs, and whoever read it left no value. */
function isEmptyObject(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    !ArrayBuffer.isView(value) &&
    Object.keys(value).length === 0
  )
}

function mayBeObject(request: IncomingMessage): boolean {
  return /json|x-www-form-urlencoded/i.test(request.headers['content-type'] ?? '')
}

function declaredLength(request: IncomingMessage): number {
  return Number(request.headers['content-length'] ?? 0)
}
