/**
 * Picks the fields of a response that a record keeps, in their order and with repeated lines apart.
 *
 * Kept: what describes the representation, and the application's own fields. Dropped: what `isRecordable`
 * refuses, and the fields that a `Connection` field names (RFC 9110, section 7.6.1).
 *
 * @param options.setCookie Keep `Set-Cookie` too. Off by default: a replay would bring back a session that
 * has ended since.
 * @example
 * recordableHeaders([['Location', '/orders/17'], ['Date', 'Tue, 24 Nov 2026 03:25:00 GMT']])
 * // [['Location', '/orders/17']]
 */
export function recordableHeaders(
  headers: ReadonlyArray<readonly [string, string]>,
  options: { setCookie?: boolean } = {},
): Array<readonly [string, string]> {
  const connectionNamed = namedByConnection(headers)
  // By index: to take a pair apart makes an iterator, and each answer passes here.
  return headers.filter((header) => {
    const lowerCase = header[0].toLowerCase()
    if (connectionNamed?.has(lowerCase) === true) return false
    if (lowerCase === 'set-cookie') return options.setCookie === true
    return isRecordable(lowerCase)
  })
}

/**
 * Whether a response field of this name (in any case) belongs to the recorded answer, rather than to one
 * exchange of it or to the connection it went over. False for `Set-Cookie`, which is kept only on request.
 */
export function isRecordable(name: string): boolean {
  const lowerCase = name.toLowerCase()
  return !neverRecorded.has(lowerCase) && !neverRecordedPrefix.test(lowerCase)
}

/**
 * The type and subtype of a `Content-Type`, in lower case and without parameters: `'application/json'`.
 * An absent field gives `''`.
 */
export function mediaTypeEssence(contentType: string | undefined): string {
  if (contentType === undefined) return ''
  const semicolon = contentType.indexOf(';')
  return (semicolon === -1 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase()
}

/**
 * The boundary of a `multipart/*` media type (RFC 2046, section 5.1.1), or undefined for another media type
 * and for a boundary that is absent, given twice or not well-formed.
 */
export function boundaryOf(contentType: string | undefined): string | undefined {
  if (contentType === undefined || !mediaTypeEssence(contentType).startsWith('multipart/')) return undefined
  const boundaries = parametersOf(contentType).filter(([name]) => name === 'boundary')
  const boundary = boundaries[0]?.[1]
  if (boundaries.length !== 1 || boundary === undefined) return undefined
  return BOUNDARY.test(boundary) ? boundary : undefined
}

// RFC 2046: 1 to 70 characters of a fixed set, the last of which is no space.
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/

// Sticky: one parameter (RFC 9110, section 5.6.6), or a semicolon with none. An unquoted value may have any
// character but those that end it, since common clients do not quote boundaries that need it.
const PARAMETER = /;[ \t]*(?:([^\s;="]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*)))?[ \t]*/y

// None at all when some of the text is no parameter: another parser might read it in another way.
function parametersOf(contentType: string): Array<[name: string, value: string]> {
  const parameters: Array<[string, string]> = []
  let position = contentType.indexOf(';')
  while (position !== -1 && position < contentType.length) {
    PARAMETER.lastIndex = position
    const match = PARAMETER.exec(contentType)
    if (match === null) return []
    position = PARAMETER.lastIndex
    const [, name, quoted, unquoted = ''] = match
    if (name !== undefined) {
      parameters.push([name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? unquoted])
    }
  }
  return parameters
}

function namedByConnection(
  headers: ReadonlyArray<readonly [string, string]>,
): ReadonlySet<string> | undefined {
  let names: Set<string> | undefined
  for (const [name, value] of headers) {
    if (name.length !== 'connection'.length || name.toLowerCase() !== 'connection') continue
    names ??= new Set()
    for (const option of value.split(',')) names.add(option.trim().toLowerCase())
  }
  return names
}

const neverRecorded: ReadonlySet<string> = new Set([
  // Of the connection: RFC 9110, section 7.6.1; RFC 9111, section 3.1.
  'connection',
  'keep-alive',
  'te',
  'upgrade',
  'http2-settings',
  // Framing, made anew for the bytes that are sent.
  'content-length',
  'transfer-encoding',
  'trailer',
  // Of one message and its path. RFC 9111, section 5.1: Age says that the origin did not generate the answer.
  'date',
  'age',
  'via',
  'alt-svc',
  'server',
  'server-timing',
  'x-response-time',
  'x-runtime',
  'retry-after',
  'strict-transport-security',
  'www-authenticate',
  'authentication-info',
  'set-cookie',
  // What hapax itself says about this exchange.
  'idempotent-replayed',
  'idempotency-expires',
  // Traces and request ids.
  'traceparent',
  'tracestate',
  'traceresponse',
  'baggage',
  'b3',
  'sentry-trace',
  'uber-trace-id',
  'request-id',
  'x-request-id',
  'x-correlation-id',
  'x-trace-id',
  'x-cloud-trace-context',
  'x-amzn-trace-id',
  'x-amzn-requestid',
  'x-amz-request-id',
  'x-amz-id-2',
  'x-ms-request-id',
  // Content delivery networks.
  'cache-status',
  'cf-ray',
  'cf-cache-status',
  'fly-request-id',
  'x-amz-cf-id',
  'x-amz-cf-pop',
  'x-azure-ref',
  'x-cache',
  'x-cache-hits',
  'x-served-by',
  'x-timer',
  'x-vercel-id',
])

// The colon: HTTP/2 pseudo-fields.
const neverRecordedPrefix = /^(?::|access-control-|proxy-|ratelimit|x-b3-|x-ratelimit-|x-rate-limit-)/
