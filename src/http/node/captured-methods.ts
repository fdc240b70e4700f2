import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { type DataArguments, dataArguments } from './data-arguments.ts'

/** What a capture says and does in the response's place. */
export interface MethodsOfResponse {
  readonly headersSent: unknown
  readonly writableEnded: unknown
  writeHead(status: number, rest: readonly unknown[]): ServerResponse
  write(data: DataArguments): boolean
  end(data: DataArguments): ServerResponse
  flushHeaders(): void
  addTrailers(trailers: OutgoingHttpHeaders): void
  destroy(error: Error | undefined): ServerResponse
  emit(event: string, args: unknown[]): boolean
}

const captureKey: unique symbol = Symbol('hapax capture')

/** From here on the response is the capture's. One by one: Object.assign() takes ten times as long. */
export function replaceMethods(response: Replaceable, capture: MethodsOfResponse): void {
  response[captureKey] = capture
  response.writeHead = capturedMethods.writeHead
  response.writeHeader = capturedMethods.writeHead
  response.write = capturedMethods.write
  response.end = capturedMethods.end
  response.flushHeaders = capturedMethods.flushHeaders
  response.addTrailers = capturedMethods.addTrailers
  response.destroy = capturedMethods.destroy
  response.emit = capturedMethods.emit
  Object.defineProperties(response, capturedProperties)
}

/** A response of which anything may be replaced. */
type Replaceable = { [captureKey]?: MethodsOfResponse; writeHeader?: unknown } & {
  [Name in 'writeHead' | 'write' | 'end' | 'flushHeaders' | 'addTrailers' | 'destroy' | 'emit']: unknown
}

type CapturedResponse = ServerResponse & { readonly [captureKey]: MethodsOfResponse }

// The same functions for all responses, which find their capture on the response: functions of its own would
// give each response another shape, and make it slow for Node's own code.

const capturedMethods = {
  writeHead(this: CapturedResponse, status: number, ...rest: unknown[]): ServerResponse {
    return this[captureKey].writeHead(status, rest)
  },
  write(this: CapturedResponse, chunk?: unknown, encoding?: unknown, callback?: unknown): boolean {
    return this[captureKey].write(dataArguments(chunk, encoding, callback))
  },
  end(this: CapturedResponse, chunk?: unknown, encoding?: unknown, callback?: unknown): ServerResponse {
    return this[captureKey].end(dataArguments(chunk, encoding, callback))
  },
  flushHeaders(this: CapturedResponse): void {
    this[captureKey].flushHeaders()
  },
  addTrailers(this: CapturedResponse, trailers: OutgoingHttpHeaders): void {
    this[captureKey].addTrailers(trailers)
  },
  destroy(this: CapturedResponse, error?: Error): ServerResponse {
    return this[captureKey].destroy(error)
  },
  emit(this: CapturedResponse, event: string, ...args: unknown[]): boolean {
    return this[captureKey].emit(event, args)
  },
}

const capturedProperties = {
  headersSent: {
    configurable: true,
    get(this: CapturedResponse): unknown {
      return this[captureKey].headersSent
    },
  },
  writableEnded: {
    configurable: true,
    get(this: CapturedResponse): unknown {
      return this[captureKey].writableEnded
    },
  },
}
