import { type ProblemCode, problemCodes } from './codes.ts'

/** An answer that hapax gives instead of running the handler. */
export type Problem = {
  code: ProblemCode
  status: number
  title: string
  detail: string
  retryable: boolean
  /** Fields of the answer besides its media type, `Retry-After` among them. */
  headers: ReadonlyArray<readonly [string, string]>
  extensions?: Record<string, unknown>
}

/** The base of problem `type` URIs where the API has no documentation of its own for them. */
export const defaultProblemBase = 'urn:hapax:problem:'

/**
 * Makes the problem for a code from its row in the table.
 *
 * @param overrides.detail Replaces the sentence from the table.
 * @param overrides.retryAfterSeconds Becomes `Retry-After`, rounded up to whole seconds (RFC 9110, section
 * 10.2.3). A retryable problem always has the field; its default is 1.
 * @param overrides.extensions Further members of the document (RFC 9457, section 3.2).
 * @example
 * createProblem('in-progress', { retryAfterSeconds: 2 }).headers // [['Retry-After', '2']]
 */
export function createProblem(
  code: ProblemCode,
  overrides: { detail?: string; retryAfterSeconds?: number; extensions?: Record<string, unknown> } = {},
): Problem {
  const { status, title, retryable, detail } = problemCodes[code]
  const retryAfterSeconds = overrides.retryAfterSeconds ?? (retryable ? 1 : undefined)
  return {
    code,
    status,
    title,
    detail: overrides.detail ?? detail,
    retryable,
    headers:
      retryAfterSeconds === undefined
        ? []
        : [['Retry-After', String(Math.max(0, Math.ceil(retryAfterSeconds)))]],
    ...(overrides.extensions && { extensions: overrides.extensions }),
  }
}

/**
 * The members of the `application/problem+json` document (RFC 9457, section 3).
 *
 * @param base What precedes the code in `type`: `defaultProblemBase`, or the URL of the API's own pages.
 * @example
 * problemDocument(createProblem('missing-key'), defaultProblemBase).type // 'urn:hapax:problem:missing-key'
 */
export function problemDocument(problem: Problem, base: string): Record<string, unknown> {
  const { code, status, title, detail, retryable, extensions = {} } = problem
  const standard = { type: base + code, title, status, detail, code, retryable }
  // Standard members first for whoever reads the document, and last so that no extension replaces one.
  return { ...standard, ...extensions, ...standard }
}
