import type { ProblemCode } from '../../protocol/codes.ts'

/** What a hapax server says when it does not run a request. */
export interface AnsweredProblem {
  readonly code: ProblemCode
  readonly status: number
  readonly title: string
  readonly detail: string
  /** Whether the same request with the same key may be sent again later. */
  readonly retryable: boolean
}

/**
 * Reads the problem document (RFC 9457) of a hapax server: `outcome-unknown`, `key-reused` and so on. Resolves to
 * undefined for any other answer. The body stays unread for the caller.
 *
 * @example
 * const response = await idempotentFetch('/orders', { method: 'POST', body })
 * const problem = await idempotencyProblem(response)
 * if (problem?.code === 'outcome-unknown') return showOrders()
 */
export async function idempotencyProblem(response: Response): Promise<AnsweredProblem | undefined> {
  if (response.status < 400 || !isProblem(response.headers.get('content-type'))) return undefined
  const document: unknown = await response
    .clone()
    .json()
    .catch(() => undefined)
  return asProblem(document, response.status)
}

function isProblem(contentType: string | null): boolean {
  return /^application\/problem\+json\b/i.test(contentType ?? '')
}

/** The problem that a parsed document describes, if it is one of ours. */
export function asProblem(document: unknown, status: number): AnsweredProblem | undefined {
  if (typeof document !== 'object' || document === null) return undefined
  const { code, title, detail } = document as Partial<Record<string, unknown>>
  if (typeof code !== 'string' || !Object.hasOwn(retryable, code)) return undefined
  // Just looked up.
  const known = code as ProblemCode
  return { code: known, status, title: String(title), detail: String(detail), retryable: retryable[known] }
}

/** The table of `protocol/codes.ts` without its sentences, which a browser need not load. */
const retryable: Record<ProblemCode, boolean> = {
  'missing-key': false,
  'malformed-key': false,
  'key-reused': false,
  'in-progress': true,
  'outcome-unknown': false,
  'response-not-kept': false,
  'body-too-large': false,
  'store-unavailable': true,
  'scope-missing': false,
  'body-consumed': false,
}
