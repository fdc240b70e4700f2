import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import { type SendContext, Submission, type SubmissionOptions, type SubmissionState } from './submission.ts'

/** Where the intent stands, and what can be done about it. */
export type IdempotentMutation<Variables, Data> = SubmissionState<Data> & {
  /** Sends; its outcome is in `status`, `data` and `error`. */
  readonly mutate: (variables: Variables) => void
  /** The same, as a promise. */
  readonly mutateAsync: (variables: Variables) => Promise<Data>
  /** Begins a new intent: the next `mutate` is another purchase, even of the same thing. */
  readonly reset: () => void
}

/**
 * One intent at a time, under one key, through double clicks, retries and errors.
 *
 * While one runs, `mutate` with the same variables joins it. After a failure it repeats the request under the same key;
 * after the outcome it gives that outcome again, until `reset()` or other variables. Variables are the same if their
 * JSON is. Leaving the component does not end a request.
 *
 * @param send Sends with the `fetch` that it is given: that one has the key. Throw for an answer that is no success.
 * @param options Read once, when the component appears. `intents` and `intent` let the key survive a reload.
 * @example
 * const order = useIdempotentMutation(async (cart: Cart, { fetch }) => {
 *   const response = await fetch('/orders', { method: 'POST', body: JSON.stringify(cart) })
 *   if (!response.ok) throw new Error(await response.text())
 *   return response.json()
 * })
 * return <button onClick={() => order.mutate(cart)}>{order.status === 'sending' ? 'Buying…' : 'Buy'}</button>
 */
export function useIdempotentMutation<Variables, Data>(
  send: (variables: Variables, context: SendContext) => Promise<Data>,
  options?: SubmissionOptions,
): IdempotentMutation<Variables, Data> {
  const latest = useRef(send)
  useEffect(() => {
    latest.current = send
  })
  const [submission] = useState(
    () =>
      new Submission<Variables, Data>((variables, context) => latest.current(variables, context), options),
  )
  const subscribe = useCallback((listener: () => void) => submission.subscribe(listener), [submission])
  const stateOf = useCallback(() => submission.state, [submission])
  const state = useSyncExternalStore(subscribe, stateOf, stateOf)
  const mutateAsync = useCallback(
    (variables: Variables) => submission.submit(variables, JSON.stringify(variables) ?? ''),
    [submission],
  )
  const mutate = useCallback(
    // The error is in the state.
    (variables: Variables) => void mutateAsync(variables).catch(() => {}),
    [mutateAsync],
  )
  const reset = useCallback(() => submission.reset(), [submission])
  return { ...state, mutate, mutateAsync, reset }
}

export { type SendContext, type SubmissionOptions, type SubmissionState } from './submission.ts'
