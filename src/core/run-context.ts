import { createHash } from 'node:crypto'
import type { Lease } from './lease.ts'
import type { StepRunner } from './steps.ts'

/** What a function that runs under an idempotency key can do about it. */
export interface RunContext extends StepRunner {
  readonly key: string
  readonly scope: string
  /** 1 on the first run, more after a release or a takeover. */
  readonly attempt: number
  /** The fencing token, for conditional writes of the function's own: it never goes back for a key. */
  readonly token: number
  /** Aborts when the lease is lost: stop, another run may have begun. */
  readonly signal: AbortSignal
  /**
   * A key for a downstream API that takes one, the same on every attempt: 43 characters of `A-Za-z0-9_-`.
   *
   * @example
   * stripe.charges.create(charge, { idempotencyKey: req.idempotency.derive('charge') })
   */
  derive(name: string): string
  /** "Nothing happened": do not record this outcome, let the next try run. */
  release(): void
  /** Record this outcome, whatever the built-in rules or the `keep` option say. */
  keep(): void
}

export function contextOf(lease: Lease): RunContext {
  return new LeaseContext(lease)
}

/** A class, since a getter in an object literal costs more than all the rest of it. Functions may be taken from it. */
class LeaseContext implements RunContext {
  readonly #lease: Lease
  readonly key: string
  readonly scope: string
  readonly attempt: number
  readonly token: number

  constructor(lease: Lease) {
    this.#lease = lease
    this.key = lease.key
    this.scope = lease.scope
    this.attempt = lease.held.attempt
    this.token = lease.held.token
  }

  get signal(): AbortSignal {
    return this.#lease.signal
  }

  readonly step: StepRunner['step'] = (name, fn, options) => this.#lease.steps.step(name, fn, options)
  readonly transaction: StepRunner['transaction'] = (name, fn, options) =>
    this.#lease.steps.transaction(name, fn, options)
  readonly derive = (name: string): string => derivedKey(this.#lease.held.id, name)
  readonly release = (): void => {
    this.#lease.verdict = 'release'
  }
  readonly keep = (): void => {
    this.#lease.verdict = 'keep'
  }
}

/** One record's keys for other APIs: nobody can tell the record from them, nor one from another. */
export function derivedKey(id: string, name: string): string {
  return createHash('sha256').update(`hapax derive 1\n${id}\n${name}`).digest('base64url')
}
