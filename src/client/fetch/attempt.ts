/** One attempt: what to send, and when to give it up. */
export interface Attempt {
  readonly send: (signal: AbortSignal) => Promise<Response>
  /** The caller's own. */
  readonly signal: AbortSignal | undefined
  readonly timeoutMs: number
  /** Read the answer to its end: one that breaks midway is no answer. */
  readonly whole: boolean
}

export type Outcome =
  | { readonly kind: 'answer'; readonly response: Response }
  /** What the signal, the time-out (a `TimeoutError`) or the network said. */
  | { readonly kind: 'failure'; readonly error: unknown }

/** Never rejects. */
export async function attemptOnce({ send, signal, timeoutMs, whole }: Attempt): Promise<Outcome> {
  const controller = new AbortController()
  const abort = () => controller.abort(signal?.reason)
  const letGo = () => signal?.removeEventListener('abort', abort)
  signal?.addEventListener('abort', abort)
  const timer = setTimeout(
    () => controller.abort(new DOMException('No answer came in time.', 'TimeoutError')),
    timeoutMs,
  )
  try {
    // A fetch that does not heed its signal must not hold the caller.
    const response = await Promise.race([answer(send, controller.signal, whole), aborted(controller.signal)])
    // A body that is still to be read heeds the caller's signal further on.
    if (whole) letGo()
    return { kind: 'answer', response }
  } catch (error) {
    letGo()
    return { kind: 'failure', error }
  } finally {
    clearTimeout(timer)
  }
}

async function answer(send: Attempt['send'], signal: AbortSignal, whole: boolean): Promise<Response> {
  const response = await send(signal)
  // The copy is read, so that the original keeps its URL and its unread body.
  if (whole) await response.clone().arrayBuffer()
  return response
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })
}
