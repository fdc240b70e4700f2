/** One row of the table of problems. */
export type ProblemDefinition = {
  /** The HTTP status. */
  status: number
  /** A constant summary (RFC 9457, section 3.1.3). */
  title: string
  /**
   * Whether the same request with the same key may be sent again, unchanged, later, with a chance of another
   * answer.
   */
  retryable: boolean
  /** Says what the reader should do. The default `detail` (RFC 9457, section 3.1.4). */
  detail: string
}

/**
 * Every problem that hapax answers with. The statuses of the first four follow
 * draft-ietf-httpapi-idempotency-key-header-07, section 2.7.
 */
export const problemCodes = {
  'missing-key': {
    status: 400,
    title: 'Idempotency key is missing',
    retryable: false,
    detail:
      'This operation needs an idempotency key. Send the request with a new key of its own, for example a UUID.',
  },
  'malformed-key': {
    status: 400,
    title: 'Idempotency key is malformed',
    retryable: false,
    detail:
      'The idempotency key could not be read, so the request was not run. Send one key, for example a UUID.',
  },
  'key-reused': {
    status: 422,
    title: 'Idempotency key was used for another request',
    retryable: false,
    detail:
      'This key belongs to an earlier request that differs from this one. Use a new key for a new request, or repeat the earlier request unchanged.',
  },
  'in-progress': {
    status: 409,
    title: 'A request with this idempotency key is in progress',
    retryable: true,
    detail:
      'The first request with this key has not finished. Send the same request with the same key again after the time in Retry-After.',
  },
  'outcome-unknown': {
    status: 409,
    title: 'The outcome of the earlier request is unknown',
    retryable: false,
    detail:
      'An earlier request with this key may or may not have taken effect. Look up the state of the resource before sending a new request with a new key.',
  },
  'response-not-kept': {
    status: 409,
    title: 'The request was carried out, but its response was not kept',
    retryable: false,
    detail:
      'The earlier request with this key ended, but its response can not be repeated. Read the resource to see the result; do not send the request with a new key.',
  },
  'body-too-large': {
    status: 413,
    title: 'The request body is too large',
    retryable: false,
    detail:
      'The body is larger than this operation accepts together with an idempotency key, so the request was not run. Send a smaller body.',
  },
  'store-unavailable': {
    status: 503,
    title: 'Idempotency records are unavailable',
    retryable: true,
    detail:
      'The idempotency key could not be checked, so the request was not run. Send the same request with the same key again after the time in Retry-After.',
  },
  'scope-missing': {
    status: 500,
    title: 'Idempotency scope is missing',
    retryable: false,
    detail:
      'The server could not tell whom the idempotency key belongs to, so the request was not run. For the developer: the scope option returned nothing; mount hapax after authentication, or return a scope for guests.',
  },
  'body-consumed': {
    status: 500,
    title: 'The request body was consumed too early',
    retryable: false,
    detail:
      'The server could not compare the request body, so the request was not run. For the developer: something read the body before hapax and left no parsed value; mount hapax before it.',
  },
} as const satisfies Record<string, ProblemDefinition>

/** The stable name of a problem; with the base in front it is the problem's `type`. */
export type ProblemCode = keyof typeof problemCodes
