import { createHash } from 'node:crypto'
import { IdempotencyError } from '../core/errors.ts'
import type { Lease } from '../core/lease.ts'

/** What a handler finds on its request (`req.idempotency` on Express). */
export interface RequestIdempotency {
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
   * A key for a downstream API that takes one, the same on every attempt: 43 characters of `A-Za-z0-9_-`.
   *
   * @throws IdempotencyError `unkeyed` when the request carried no key.
   * @example
   * stripe.charges.create(charge, { idempotencyKey: req.idempotency.derive('charge') })
   */
  derive(name: string): string
  /** "Nothing happened": do not record this answer, let the next try run. */
  release(): void
  /** Record this answer, whatever the built-in rules or the `keep` option say. */
  keep(): void
}

export function leasedIdempotency(lease: Lease): RequestIdempotency {
  return {
    key: lease.key,
    scope: lease.scope,
    attempt: lease.held.attempt,
    token: lease.held.token,
    get signal() {
      return lease.signal
    },
    derive: (name) =>
      createHash('sha256').update(`hapax derive 1\n${lease.held.id}\n${name}`).digest('base64url'),
    release: () => void (lease.verdict = 'release'),
    keep: () => void (lease.verdict = 'keep'),
  }
}

/** The same object for a request that nothing protects, so that handlers need no second path. */
export function unkeyedIdempotency(): RequestIdempotency {
  let controller: AbortController | undefined
  return {
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
