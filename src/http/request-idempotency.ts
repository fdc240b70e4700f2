import { IdempotencyError } from '../core/errors.ts'
import { contextOf, type RunContext } from '../core/run-context.ts'
import type { Lease } from '../core/lease.ts'
import type { StepRunner } from '../core/steps.ts'

/** What a handler finds on its request (`req.idempotency` on Express). */
export interface RequestIdempotency extends StepRunner {
  /** The idempotency key, or `undefined` when the request carried none (or the store was bypassed). */
  readonly key: string | undefined
  /** Whom the key belongs to. */
  readonly scope: string | undefined
  /** 1 on the first run of the key, more after a release or a takeover. */
  readonly attempt: number
  /** The fencing token, for conditional writes of the handler's own: it never goes back for a key. */
  readonly token: number | undefined
  /** Aborts when the lease is lost: stop, another run may have begun. Never aborts without a key. */
  readonly signal: AbortSignal
  /**
   * See {@link RunContext.derive}.
   *
   * @throws IdempotencyError `unkeyed` when the request carried no key.
   */
  derive(name: string): string
  /** "Nothing happened": do not record this answer, let the next try run. */
  release(): void
  /** Record this answer, whatever the built-in rules or the `keep` option say. */
  keep(): void
}

export function leasedIdempotency(lease: Lease): RequestIdempotency & RunContext {
  return contextOf(lease)
}

/** The same object for a request that nothing protects, so that handlers need no second path. */
export function unkeyedIdempotency(unprotected: StepRunner): RequestIdempotency {
  return new UnkeyedIdempotency(unprotected)
}

class UnkeyedIdempotency implements RequestIdempotency {
  #controller: AbortController | undefined
  readonly key = undefined
  readonly scope = undefined
  readonly attempt = 1
  readonly token = undefined
  readonly step: StepRunner['step']
  readonly transaction: StepRunner['transaction']
  readonly derive = deriveUnkeyed
  readonly release = nothing
  readonly keep = nothing

  constructor({ step, transaction }: StepRunner) {
    this.step = step
    this.transaction = transaction
  }

  get signal(): AbortSignal {
    // One for each request: listeners on a shared signal would pile up.
    this.#controller ??= new AbortController()
    return this.#controller.signal
  }
}

function deriveUnkeyed(name: string): never {
  throw new IdempotencyError(
    'unkeyed',
    `derive(${JSON.stringify(name)}) needs an idempotency key, and this request carried none. Set "required" on the route, or check req.idempotency.key first.`,
  )
}

function nothing(): void {}
