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

/** From here on the response is the capture's. */
export function replaceMethods(
  response: ServerResponse & { [captureKey]?: MethodsOfResponse },
  capture: MethodsOfResponse,
): void {
  response[captureKey] = capture
  Object.assign(response, capturedMethods)
  Object.defineProperties(response, capturedProperties)
}

type CapturedResponse = ServerResponse & { readonly [captureKey]: MethodsOfResponse }

// The same functions for all responses, which find their capture on the response: functions of its own would
// give each response another shape, and make it slow for Node's own code.

const capturedMethods = {
  writeHead: capturedWriteHead,
  writeHeader: capturedWriteHead,
  write(this: CapturedResponse, ...args: unknown[]): boolean {
    return this[captureKey].write(dataArguments(args))
  },
  end(this: CapturedResponse, ...args: unknown[]): ServerResponse {
    return this[captureKey].end(dataArguments(args))
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

function capturedWriteHead(this: CapturedResponse, status: number, ...rest: unknown[]): ServerResponse {
  return this[captureKey].writeHead(status, rest)
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
