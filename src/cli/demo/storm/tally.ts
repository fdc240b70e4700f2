import type { ForwardedAnswer } from '../forward.ts'

/** What the load balancer saw pass for one shop. */
export interface Tally {
  /** Requests that customers sent. */
  sent: number
  /** Requests that the load balancer sent again, to the other server. */
  resent: number
  /** Answers of the servers. */
  replays: number
  inProgress: number
  outcomeUnknown: number
}

export function emptyTally(): Tally {
  return { sent: 0, resent: 0, replays: 0, inProgress: 0, outcomeUnknown: 0 }
}

export function countAnswer(tally: Tally, answer: ForwardedAnswer): void {
  if (headerOf(answer, 'idempotent-replayed') === 'true') tally.replays += 1
  const code = problemCodeOf(answer)
  if (code === 'in-progress') tally.inProgress += 1
  if (code === 'outcome-unknown') tally.outcomeUnknown += 1
}

export function headerOf({ headers }: ForwardedAnswer, name: string): string | undefined {
  return Object.entries(headers).find(([candidate]) => candidate.toLowerCase() === name)?.[1][0]
}

/** The `code` of a problem document. */
export function problemCodeOf(answer: ForwardedAnswer): string | undefined {
  if (answer.status < 400) return undefined
  const code = jsonField(answer, 'code')
  return typeof code === 'string' ? code : undefined
}

export function jsonField({ body }: ForwardedAnswer, name: string): unknown {
  try {
    const document: unknown = JSON.parse(body.toString())
    return new Map(Object.entries(Object(document))).get(name)
  } catch {
    return undefined
  }
}
