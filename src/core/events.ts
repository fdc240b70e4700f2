import { channel } from 'node:diagnostics_channel'
import type { ProblemCode } from '../protocol/codes.ts'
import { nameAndMessage } from './errors.ts'
import type { TombstoneReason } from './record.ts'
import type { Takeover } from './store.ts'

interface About {
  /** The record: SHA-256 of scope and key. */
  readonly id: string
  /** Like `scope` empty under `storeKeys: false`: what is told here mostly ends in a log. */
  readonly key: string
  readonly scope: string
}

/** What happens inside the engine, for logs and metrics. Durations are milliseconds. */
export type IdempotencyEvent =
  | (About & {
      readonly type: 'claimed'
      readonly attempt: number
      readonly token: number
      readonly takeover?: Takeover['of']
    })
  | (About & {
      readonly type: 'completed'
      readonly status: number
      readonly failed: boolean
      readonly tombstone?: TombstoneReason
      readonly durationMs: number
    })
  | (About & { readonly type: 'released'; readonly clean: boolean; readonly durationMs: number })
  | (About & { readonly type: 'replayed'; readonly status: number; readonly waited: boolean })
  | (About & { readonly type: 'rejected'; readonly code: ProblemCode })
  /** Refused before any record was looked at: a missing or malformed key, a body that is too large. */
  | { readonly type: 'refused'; readonly code: ProblemCode }
  | (About & { readonly type: 'bypassed'; readonly error: unknown })
  | (About & { readonly type: 'reconciled'; readonly verdict: 'response' | 'rerun' | 'refuse' })
  /** The `recovery` function failed, which counts as `'refuse'`. */
  | (About & { readonly type: 'reconciled'; readonly verdict: 'threw'; readonly error: unknown })
  /** A step was met that an earlier attempt began and nobody knows the end of: the outcome is unknown. */
  | (About & { readonly type: 'step-unknown'; readonly name: string })
  /** Remembered steps that a finished run did not come to: has its code changed? */
  | (About & { readonly type: 'steps-unvisited'; readonly names: readonly string[] })
  /** A later token exists: another run took over, or an operator settled the record. */
  | (About & { readonly type: 'lease-lost'; readonly token: number })
  /** The handler did not answer within `maxRun`; its lease is no longer renewed. */
  | (About & { readonly type: 'run-exceeded'; readonly durationMs: number })
  /** The client was answered before the store acknowledged the record; the engine goes on trying. */
  | (About & { readonly type: 'record-deferred'; readonly error: unknown })
  | (About & { readonly type: 'record-recovered'; readonly delayMs: number })
  /** Shutdown came before the store acknowledged the record: its outcome will read as unknown. */
  | (About & { readonly type: 'record-lost' })
  | { readonly type: 'store-error'; readonly operation: StoreOperation; readonly error: unknown }

export type StoreOperation =
  | 'claim'
  | 'renew'
  | 'complete'
  | 'release'
  | 'abandon'
  | 'step'
  | 'open-journal'
  | 'watch'
  | 'close'

/** A promise that it returns is not awaited; a rejection is logged. */
export type EventListener = (event: IdempotencyEvent) => void

const diagnostics = channel('hapax:event')

/** Delivers events to the `on` option and to the diagnostics channel `hapax:event`. */
export class Events {
  readonly #listener: EventListener | undefined
  readonly #warn: (message: string) => void
  readonly #tellKeys: boolean

  constructor(listener: EventListener | undefined, warn: (message: string) => void, tellKeys = true) {
    this.#listener = listener
    this.#warn = warn
    this.#tellKeys = tellKeys
  }

  /** False where an event would reach nobody: what every request tells need not be made then. */
  get heard(): boolean {
    return this.#listener !== undefined || diagnostics.hasSubscribers
  }

  emit(happened: IdempotencyEvent): void {
    const event = this.#tellKeys || !('key' in happened) ? happened : { ...happened, key: '', scope: '' }
    if (diagnostics.hasSubscribers) diagnostics.publish(event)
    if (this.#listener === undefined) return
    // A listener that fails must not turn a recorded outcome into an unknown one, nor end the process.
    try {
      const returned: unknown = this.#listener(event)
      if (returned instanceof Promise) returned.catch((error: unknown) => this.#blame(event, error))
    } catch (error) {
      this.#blame(event, error)
    }
  }

  #blame(event: IdempotencyEvent, error: unknown): void {
    const { name, message } = nameAndMessage(error)
    this.#warn(`The "on" listener threw on a "${event.type}" event: ${name}: ${message}`)
  }
}
