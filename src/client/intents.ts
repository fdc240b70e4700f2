import type { Duration } from '../protocol/duration.ts'
import { ClientError } from './errors.ts'
import { bodyOf } from './fetch/body.ts'
import {
  type Client,
  createClient,
  type IdempotentInit,
  methodOf,
  requestIn,
  safeMethods,
  urlOf,
} from './fetch/client.ts'
import { newKey } from './fetch/key.ts'
import { readDuration } from './fetch/options.ts'
import { type Entry, parseEntry } from './intents/entry.ts'
import { requestIdentity } from './intents/request-identity.ts'
import { retainedMs, settlementOf } from './intents/settlement.ts'
import { type IntentStorage, memoryStorage } from './intents/storage.ts'
import { storageError, tolerantStorage } from './intents/tolerant-storage.ts'
import { webStorage } from './intents/web-storage.ts'

/** The options of {@link createIntents}. */
export interface IntentsOptions {
  /** Sends the requests. Default: a client under the default options. */
  client?: Client
  /**
   * Where keys are kept while their outcome is open. Default: this tab's `sessionStorage` in a browser, memory
   * elsewhere. Two tabs share an intent only in `webStorage('local')`.
   */
  storage?: IntentStorage
  /**
   * What becomes of a key whose request was carried out. `'forget'` (default): the same call is a new intent.
   * `'keep'`: it repeats the request, and gets the recorded answer, until the server forgets it. That is right for
   * intents that are named after something that happens once, such as a cart.
   */
  afterOutcome?: 'forget' | 'keep'
  /** How long a key is kept where the server has not said how long it remembers it. Default: `'24h'`. */
  maxAge?: Duration
  /**
   * Is told when the storage can't be used: `storage-full`, `storage-forbidden`, `storage-unreadable`. The request goes
   * out nevertheless, and its key is kept in memory. Default: `console.warn`.
   */
  onWarning?: (warning: ClientError) => void
}

/** What `fetch` takes, and the name of the intent. */
export interface IntentInit extends IdempotentInit {
  /**
   * Names the intent: `cart-17`. Default: whatever request is the same (method, URL, body) belongs to the same intent.
   */
  intent?: string
  /** As in {@link IntentsOptions}, for this call. */
  afterOutcome?: 'forget' | 'keep'
}

/** An intent whose outcome is open. */
export interface PendingIntent {
  readonly key: string
  readonly since: Date
  readonly expires: Date
}

/** Sends requests under the key of their intent, for as long as that is pending. */
export interface Intents {
  /**
   * Like {@link Client.fetch}, but a call for an intent that is pending gets the key of that intent: after a reload,
   * after an error, from another tab. A call while another one for the same intent runs joins that one, its signal
   * included, and gets its answer.
   *
   * The key is dropped by a definite outcome: an answer below 400, or a refusal after which another request will
   * follow. It stays where the outcome is open: no answer, `outcome-unknown`, 401, 5xx.
   *
   * @throws {ClientError} `intent-pending` when the intent has another request: that may have been carried out, so
   * finish it or `forget` it first. Otherwise as {@link Client.fetch}.
   */
  fetch(input: string | URL | Request, init?: IntentInit): Promise<Response>
  /** The intent of that name, if its outcome is open. */
  pending(intent: string): Promise<PendingIntent | undefined>
  /** Drops the key: the next call is a new intent, whatever became of the old one. */
  forget(intent: string): Promise<void>
}

/**
 * Keeps one key for one intent.
 *
 * @throws {ClientError} `invalid-option`
 * @example
 * const intents = createIntents({ storage: webStorage('local') })
 * const response = await intents.fetch('/orders', { method: 'POST', body: JSON.stringify(cart), intent: cart.id })
 */
export function createIntents(options: IntentsOptions = {}): Intents {
  return new PendingIntents(options)
}

export { type IntentStorage, memoryStorage } from './intents/storage.ts'
export { webStorage } from './intents/web-storage.ts'

class PendingIntents implements Intents {
  readonly #client: Client
  readonly #storage: IntentStorage
  readonly #maxAgeMs: number
  readonly #afterOutcome: 'forget' | 'keep'
  readonly #warn: (warning: ClientError) => void
  readonly #running = new Map<string, { readonly request: string; readonly answer: Promise<Response> }>()

  constructor(options: IntentsOptions) {
    this.#client = options.client ?? createClient()
    this.#maxAgeMs = readDuration('maxAge', options.maxAge ?? '24h')
    this.#afterOutcome = options.afterOutcome ?? 'forget'
    // oxlint-disable-next-line no-console -- Where an application has said nothing else.
    this.#warn = options.onWarning ?? ((warning) => console.warn(warning.message))
    this.#storage = tolerantStorage(options.storage ?? defaultStorage(), this.#warn)
  }

  async fetch(
    input: string | URL | Request,
    { intent, afterOutcome = this.#afterOutcome, ...init }: IntentInit = {},
  ): Promise<Response> {
    const given = requestIn(input)
    const method = methodOf(init, given)
    if (safeMethods.has(method)) return this.#client.fetch(input, init)

    const headers = new Headers(init.headers ?? given?.headers)
    const form = init.body instanceof FormData ? init.body : undefined
    const body = await bodyOf(init, given, headers)
    const request = await requestIdentity(method, urlOf(input), body, form)
    const name = intent ?? request

    const running = this.#running.get(name)
    if (running !== undefined) {
      if (running.request !== request) throw otherRequest(name)
      return copyOf(running.answer)
    }
    const send = async () => {
      const { key } = await this.#claim(name, request, init.idempotencyKey)
      const sent = { ...init, headers, body: body ?? null, idempotencyKey: key }
      const response = await this.#client.fetch(input, sent)
      await this.#settle(name, key, response, afterOutcome)
      return response
    }
    const answer = send().finally(() => {
      if (this.#running.get(name)?.answer === answer) this.#running.delete(name)
    })
    this.#running.set(name, { request, answer })
    return copyOf(answer)
  }

  async pending(intent: string): Promise<PendingIntent | undefined> {
    const text = await this.#storage.change(intent, (kept) => kept)
    const entry = text === undefined ? undefined : parseEntry(text)
    if (entry === undefined || entry.done || entry.expiresAtMs <= Date.now()) return undefined
    return { key: entry.key, since: new Date(entry.sinceMs), expires: new Date(entry.expiresAtMs) }
  }

  async forget(intent: string): Promise<void> {
    this.#running.delete(intent)
    await this.#storage.change(intent, () => undefined)
  }

  /** The key of the intent: that of an earlier call, or a new one, kept before the first byte leaves. */
  async #claim(name: string, request: string, givenKey: string | undefined): Promise<Entry> {
    const now = Date.now()
    const fresh: Entry = {
      key: givenKey ?? newKey(),
      request,
      sinceMs: now,
      expiresAtMs: now + this.#maxAgeMs,
    }
    let unreadable = false
    const text = await this.#storage.change(name, (kept) => {
      const entry = kept === undefined ? undefined : parseEntry(kept)
      unreadable = kept !== undefined && entry === undefined
      return kept !== undefined && entry !== undefined && entry.expiresAtMs > now
        ? kept
        : JSON.stringify(fresh)
    })
    if (unreadable) this.#warn(storageError('storage-unreadable', name))
    const entry = (text === undefined ? undefined : parseEntry(text)) ?? fresh
    if (entry.request !== request) throw otherRequest(name)
    return entry
  }

  async #settle(
    name: string,
    key: string,
    response: Response,
    afterOutcome: 'forget' | 'keep',
  ): Promise<void> {
    const settlement = settlementOf(response)
    const keptMs = retainedMs(response)
    await this.#storage.change(name, (kept) => {
      const entry = kept === undefined ? undefined : parseEntry(kept)
      // Another tab may have finished this intent, and begun the next under its name.
      if (entry?.key !== key) return kept
      const done = settlement === 'done'
      if (settlement === 'refused' || (done && afterOutcome === 'forget')) return undefined
      const expiresAtMs = keptMs === undefined ? entry.expiresAtMs : Date.now() + keptMs
      return JSON.stringify({ ...entry, expiresAtMs, ...(done && { done }) })
    })
  }
}

/** Everybody who joined reads a copy; the original stays unread for those to come. */
async function copyOf(answer: Promise<Response>): Promise<Response> {
  const response = await answer
  return response.clone()
}

function defaultStorage(): IntentStorage {
  return 'document' in globalThis ? webStorage('session') : memoryStorage()
}

function otherRequest(name: string): ClientError {
  return new ClientError(
    'intent-pending',
    `Intent "${name}" has another request, which may have been carried out. ` +
      'Repeat that one to learn its outcome, use another name, or forget the intent first.',
  )
}
