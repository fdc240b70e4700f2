import type { IncomingHttpHeaders } from 'node:http'
import type { HttpOptions } from '../../../src/http/options.ts'
import type { AdapterOptions, HeaderReader } from '../../../src/testing/adapter.ts'

/** The contract's options for a framework whose request has Node's headers. */
export function headerReader<Request extends { readonly headers?: IncomingHttpHeaders }>(
  options: AdapterOptions,
): HttpOptions<Request> {
  return adapted(options, ({ headers = {} }) => ({ header: (name) => headers[name]?.toString() }))
}

/** The contract's options for a framework whose request has the headers of fetch. */
export function readersOf<Request>(
  options: AdapterOptions,
  headersOf: (request: Request) => Headers,
): HttpOptions<Request> {
  return adapted(options, (request) => ({ header: (name) => headersOf(request).get(name) ?? undefined }))
}

function adapted<Request>(
  options: AdapterOptions,
  readerOf: (request: Request) => HeaderReader,
): HttpOptions<Request> {
  const entries = Object.entries(options).map(([name, value]) => {
    if (typeof value !== 'function' || !ofRequest.has(name)) return [name, value]
    if (name !== 'recovery')
      return [name, (request: Request, body: unknown) => value(readerOf(request), body)]
    return [
      name,
      (context: { request: Request }) => value({ ...context, request: readerOf(context.request) }),
    ]
  })
  // Each function takes the framework's request now, and hands on what it was given.
  return Object.fromEntries(entries) as HttpOptions<Request>
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
