/** A request that has been read whole. */
export type ReadRequest = {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  /** Path and query as received. */
  readonly target: string
  /** Header lines as received, names in lower case. */
  readonly lines: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
  /** Aborts when the client hangs up before its answer is finished. */
  readonly gone: AbortSignal
}

export type HeaderLine = readonly [name: string, value: string]

export type Reply = {
  readonly status: number
  readonly headers: readonly HeaderLine[]
  readonly body: Buffer
  /** Send the body in this many chunks, this far apart, instead of at once with a Content-Length. */
  readonly pace?: { readonly chunks: number; readonly gapMs: number }
  /** Cut the connection instead of answering. */
  readonly drop?: boolean
}

export function linesOf(request: ReadRequest, name: string): string[] {
  return request.lines.filter(([own]) => own === name).map(([, value]) => value)
}

export function headerOf(request: ReadRequest, name: string): string {
  return linesOf(request, name).join(', ')
}

export function jsonReply(status: number, value: unknown, headers: readonly HeaderLine[] = []): Reply {
  const body = Buffer.from(JSON.stringify(value))
  return { status, headers: [['Content-Type', 'application/json'], ...headers], body }
}

/** RFC 9457, with a stable type for each kind of refusal. */
export function problem(
  status: number,
  code: string,
  title: string,
  detail: string,
  headers: readonly HeaderLine[] = [],
): Reply {
  const body = Buffer.from(
    JSON.stringify({ type: `urn:idempotency-reference:${code}`, title, status, detail, code }),
  )
  return {
    status,
    headers: [
      ['Content-Type', 'application/problem+json'],
      ['Link', '</docs>; rel="describedby"'],
      ...headers,
    ],
    body,
  }
}
