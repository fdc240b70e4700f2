import type { AnsweredProblem } from './problem.ts'

/**
 * What an answer means for the client. `in-progress`: another request with this key is at work, and its answer
 * will be ours; to ask again is no retry.
 */
export type Verdict = 'final' | 'again' | 'in-progress'

/** An answer, whichever library brought it. */
export interface AnswerView {
  readonly status: number
  header(name: string): string | null | undefined
  readonly problem: AnsweredProblem | undefined
}

/** Which answers may be followed by the same request with the same key. */
export function judge({ status, header, problem }: AnswerView): Verdict {
  // A recorded failure is repeated for as long as its record lives.
  if (header('idempotent-replayed') === 'true') return 'final'
  if (problem?.code === 'in-progress') return 'in-progress'
  if (problem !== undefined) return problem.retryable ? 'again' : 'final'
  // A server of another make (draft-ietf-httpapi-idempotency-key-header-07, section 2.7). Without Retry-After,
  // 409 is rather a conflict that the application speaks of.
  if (status === 409) return header('retry-after') ? 'in-progress' : 'final'
  return retried.has(status) ? 'again' : 'final'
}

const retried: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])
