import { ClientError } from './errors.ts'
import { newKey } from './fetch/key.ts'
import { createIntents, type IntentInit, type Intents } from './intents.ts'

/** Where an intent stands. */
export type SubmissionState<Data> =
  | { readonly status: 'idle'; readonly data: undefined; readonly error: undefined }
  | { readonly status: 'sending'; readonly data: undefined; readonly error: undefined }
  | { readonly status: 'done'; readonly data: Data; readonly error: undefined }
  | { readonly status: 'failed'; readonly data: undefined; readonly error: unknown }

/** What a function that sends gets: a `fetch` under the key of the intent. */
export interface SendContext {
  readonly fetch: (input: string | URL | Request, init?: IntentInit) => Promise<Response>
}

export interface SubmissionOptions {
  /** Keeps the key. Default: in memory, so that it does not survive a reload. */
  intents?: Intents
  /** Names the intent, for `intents` that outlive the page. Default: a name of its own. */
  intent?: string
  /** As in `createIntents`: what becomes of the key once the outcome is there. Default: `'forget'`. */
  afterOutcome?: 'forget' | 'keep'
}

/**
 * One intent at a time, from a click to its outcome. A second click joins the first; a click after a failure repeats
 * the request under the same key; a click after the outcome gets that outcome, until {@link reset}.
 */
export class Submission<Variables, Data> {
  readonly #send: (variables: Variables, context: SendContext) => Promise<Data>
  readonly #intents: Intents
  readonly #givenName: string | undefined
  readonly #afterOutcome: 'forget' | 'keep'
  readonly #listeners = new Set<() => void>()
  #name: string
  #state: SubmissionState<Data> = idle
  #current: { readonly identity: string; readonly outcome: Promise<Data> } | undefined
  #forgotten: Promise<void> = Promise.resolve()

  constructor(
    send: (variables: Variables, context: SendContext) => Promise<Data>,
    { intents = createIntents(), intent, afterOutcome = 'forget' }: SubmissionOptions = {},
  ) {
    this.#send = send
    this.#intents = intents
    this.#givenName = intent
    this.#afterOutcome = afterOutcome
    this.#name = intent ?? newKey()
  }

  get state(): SubmissionState<Data> {
    return this.#state
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /**
   * @param identity Tells whether a click means what the last one meant.
   * @throws {ClientError} `intent-pending` for another request while one runs, or may have been carried out.
   */
  submit(variables: Variables, identity: string): Promise<Data> {
    const current = this.#current
    if (current !== undefined && this.#state.status !== 'failed') {
      if (current.identity === identity) return current.outcome
      if (this.#state.status === 'sending') return Promise.reject(stillSending())
      this.reset()
    }
    const outcome = this.#run(variables, () => this.#current?.outcome === outcome)
    this.#current = { identity, outcome }
    this.#become({ status: 'sending', data: undefined, error: undefined })
    return outcome
  }

  /** Begins a new intent: the next click is another purchase, whatever became of the last one. */
  reset(): void {
    this.#forget(this.#name)
    // Where the name is ours, a request that still runs keeps the old one to itself.
    this.#name = this.#givenName ?? newKey()
    this.#current = undefined
    this.#become(idle)
  }

  async #run(variables: Variables, isCurrent: () => boolean): Promise<Data> {
    const name = this.#name
    await this.#forgotten
    try {
      // The key stays until the answer was understood: a page that failed to read it may ask again.
      const data = await this.#send(variables, {
        fetch: (input, init) => this.#intents.fetch(input, { ...init, intent: name, afterOutcome: 'keep' }),
      })
      if (isCurrent()) {
        if (this.#afterOutcome === 'forget') this.#forget(name)
        this.#become({ status: 'done', data, error: undefined })
      }
      return data
    } catch (error) {
      if (isCurrent()) this.#become({ status: 'failed', data: undefined, error })
      throw error
    }
  }

  #forget(name: string): void {
    this.#forgotten = this.#forgotten.then(() => this.#intents.forget(name))
  }

  #become(state: SubmissionState<Data>): void {
    this.#state = state
    for (const listener of this.#listeners) listener()
  }
}

const idle = { status: 'idle', data: undefined, error: undefined } as const

function stillSending(): ClientError {
  return new ClientError(
    'intent-pending',
    'Another request is being sent. Wait for its outcome, or reset first.',
  )
}
