import { IdempotencyError } from '../core/errors.ts'
import type { Journal } from '../core/journal.ts'
import { contextOf, type RunContext } from '../core/run-context.ts'
import type { Lease } from '../core/lease.ts'
import { type StepRunner, unprotectedSteps } from '../core/steps.ts'

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
export function unkeyedIdempotency(journal: Journal | undefined): RequestIdempotency {
  let controller: AbortController | undefined
  return {
    ...unprotectedSteps(journal),
    key: undefined,
    scope: undefined,
    attempt: 1,
    token: undefined,
    get signal() {
      // One for each request: listeners on a shared signal would pile up.
      controller ??= new AbortController()
      return controller.signal
    },
    derive(name) {
      throw new IdempotencyError(
        'unkeyed',
        `derive(${JSON.stringify(name)}) needs an idempotency key, and this request carried none. Set "required" on the route, or check req.idempotency.key first.`,
      )
    },
    release: () => {},
    keep: () => {},
  }
}
