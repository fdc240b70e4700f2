import type { Clock } from '../../src/core/clock.ts'
import type { Store } from '../../src/core/store.ts'

export type Verb = 'claim' | 'renew' | 'complete' | 'release' | 'abandon' | 'step' | 'watch' | 'close'

export type Fault =
  /** Rejects at once; the store hears nothing. */
  | 'refuse'
  /** Throws instead of returning a promise. */
  | 'throw'
  /** The store hears nothing and nobody answers. */
  | 'drop'
  /** Carried out, and never answered. */
  | 'lose-reply'
  /** Carried out, and answered with an error. */
  | 'break-reply'
  /** Carried out twice, as by a driver that sends again. */
  | 'repeat'
  | { readonly requestDelayMs: number }
  | { readonly replyDelayMs: number }

class LinkError extends Error {
  constructor(verb: Verb) {
    super(`The link broke on ${verb}.`)
  }
}

/**
 * The way from one process to a real store, which fails on command. Like a connection, it is closed for its
 * own process only; the store stays.
 */
export class FaultyLink {
  readonly store: Store
  /** How often each verb was called. */
  readonly calls: Record<Verb, number> = {
    claim: 0,
    renew: 0,
    complete: 0,
    release: 0,
    abandon: 0,
    step: 0,
    watch: 0,
    close: 0,
  }
  /** Subscriptions that were confirmed and not ended. */
  subscriptions = 0
  readonly #clock: Clock
  readonly #next: Partial<Record<Verb, Fault[]>> = {}
  readonly #always: Partial<Record<Verb, Fault>> = {}
  #held: Array<() => void> | undefined
  #closed = false

  constructor(store: Store, clock: Clock, options: { watch: boolean } = { watch: true }) {
    this.#clock = clock
    const { name, durable } = store
    this.store = {
      name,
      durable,
      claim: (request) => this.#carry('claim', () => store.claim(request)),
      renew: (leases) => this.#carry('renew', () => store.renew(leases)),
      complete: (lease, outcome) => this.#carry('complete', () => store.complete(lease, outcome)),
      release: (lease, how) => this.#carry('release', () => store.release(lease, how)),
      abandon: (id, owner) => this.#carry('abandon', () => store.abandon(id, owner)),
      recordStep: (lease, change) => this.#carry('step', () => store.recordStep(lease, change)),
      close: () =>
        this.#carry('close', async () => {
          this.#closed = true
        }),
      ...(options.watch && {
        watch: (id: string, listener: () => void) =>
          this.#carry('watch', async () => store.watch?.(id, () => this.#notify(listener))).then(
            (unsubscribe) => {
              this.subscriptions += 1
              return () => {
                this.subscriptions -= 1
                unsubscribe?.()
              }
            },
          ),
      }),
    }
  }

  /** The next calls of `verb` meet these faults, one each. */
  next(verb: Verb, ...faults: Fault[]): void {
    this.#next[verb] = [...(this.#next[verb] ?? []), ...faults]
  }

  /** Every call of these verbs meets this fault, until `heal`. */
  always(fault: Fault, ...verbs: readonly Verb[]): void {
    for (const verb of verbs) this.#always[verb] = fault
  }

  heal(): void {
    for (const faults of [this.#next, this.#always]) {
      for (const verb of Object.keys(faults)) Reflect.deleteProperty(faults, verb)
    }
  }

  /** Holds back every reply, as for a process that is stopped, until `deliver`. */
  hold(): void {
    this.#held ??= []
  }

  deliver(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const go of held) go()
  }

  #notify(listener: () => void): void {
    if (this.#held === undefined) listener()
    else this.#held.push(listener)
  }

  #carry<T>(verb: Verb, perform: () => Promise<T>): Promise<T> {
    this.calls[verb] += 1
    if (this.#closed) return Promise.reject(new Error(`The link is closed, and ${verb} came too late.`))
    const fault = this.#next[verb]?.shift() ?? this.#always[verb]
    if (fault === 'throw') throw new LinkError(verb)
    return this.#under(fault, verb, perform)
  }

  async #under<T>(fault: Fault | undefined, verb: Verb, perform: () => Promise<T>): Promise<T> {
    if (fault === 'refuse') throw new LinkError(verb)
    if (fault === 'drop') return never()
    if (typeof fault === 'object' && 'requestDelayMs' in fault) await this.#passed(fault.requestDelayMs)
    if (fault === 'repeat') await perform()
    const result = await perform()
    if (fault === 'lose-reply') return never()
    if (fault === 'break-reply') throw new LinkError(verb)
    if (typeof fault === 'object' && 'replyDelayMs' in fault) await this.#passed(fault.replyDelayMs)
    const held = this.#held
    if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve))
    return result
  }

  #passed(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#clock.setTimer(resolve, ms))
  }
}

function never(): Promise<never> {
  return new Promise(() => {})
}
