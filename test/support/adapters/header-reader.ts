import type { IncomingHttpHeaders } from 'node:http'
import type { HttpOptions } from '../../../src/http/options.ts'
import type { AdapterOptions, HeaderReader } from '../../../src/testing/adapter.ts'

/** The contract's options for a framework whose request has its headers in an object. */
export function headerReader<Request extends object>(
  options: AdapterOptions,
  headersOf: (request: Request) => IncomingHttpHeaders = (request: { headers?: IncomingHttpHeaders }) =>
    request.headers ?? {},
): HttpOptions<Request> {
  const readers = new WeakMap<Request, HeaderReader>()
  function readerOf(request: Request): HeaderReader {
    const reader = readers.get(request) ?? { header: (name) => headersOf(request)[name]?.toString() }
    readers.set(request, reader)
    return reader
  }
  const adapted = Object.entries(options).map(([name, value]) => {
    if (typeof value !== 'function' || !ofRequest.has(name)) return [name, value]
    if (name !== 'recovery')
      return [name, (request: Request, body: unknown) => value(readerOf(request), body)]
    const recover = (context: { request: Request }) =>
      value({ ...context, request: readerOf(context.request) })
    return [name, recover]
  })
  // Each function takes the framework's request now, and passes on what it was given.
  return Object.fromEntries(adapted) as HttpOptions<Request>
}

const ofRequest = new Set([
  'scope',
  'methods',
  'skip',
  'required',
  'key',
  'fingerprint',
  'retain',
  'lease',
  'concurrent',
  'recovery',
])
