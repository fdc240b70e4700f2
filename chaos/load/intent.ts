import { randomUUID } from 'node:crypto'

/** What one answer, or its absence, said to whoever sent the request. */
export type Word =
  | 'success'
  | 'in-progress'
  | 'outcome-unknown'
  | 'response-not-kept'
  | 'store-unavailable'
  | 'no-answer'
  | `other: ${string}`

/** One thing that somebody wants to happen once, and everything that was heard of it. */
export interface Intent {
  readonly marker: string
  readonly key: string
  /** The receipt of the first success that was told. */
  receipt: string | undefined
  /** The last definite word: nothing further is expected of this key. */
  settled: Word | undefined
  requests: number
  /** Told of its success, and later that the answer found no room. */
  isForgotten: boolean
  /** Answers that contradict an earlier one, in words. */
  readonly contradictions: string[]
}

export function newIntent(): Intent {
  const marker = randomUUID()
  return {
    marker,
    key: marker,
    receipt: undefined,
    settled: undefined,
    requests: 0,
    isForgotten: false,
    contradictions: [],
  }
}

/** Words that end an intent. The others say: ask again. */
export function isDefinite(word: Word): boolean {
  return word === 'success' || word === 'outcome-unknown' || word === 'response-not-kept'
}
