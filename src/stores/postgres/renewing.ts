import type { HeldLease, RenewResult } from '../../core/store.ts'
import * as rules from '../../core/transitions.ts'
import { askHeld } from './arguments.ts'
import type { Row } from './database.ts'
import { encodeText } from '../encoding/ascii.ts'
import { encodeSpan } from './encoding.ts'
import { isLocked } from './errors.ts'
import type { Session } from './session.ts'
import type { Statements } from './statements.ts'
import { judge, type Writes } from './writes.ts'

/** Renewals in one statement. A larger batch would hold its locks for longer. */
const atOnce = 500

export class Renewing {
  readonly #session: Session
  readonly #statements: Statements
  readonly #writes: Writes

  constructor(session: Session, statements: Statements, writes: Writes) {
    this.#session = session
    this.#statements = statements
    this.#writes = writes
  }

  /**
   * A lease whose row another transaction holds has no result: a hole in the list. It was neither renewed nor refused,
   * and the engine asks again soon. To wait for the row would hold up all other leases; to reject would let them all
   * run out, if the row is held for long.
   */
  async renew(leases: readonly HeldLease[]): Promise<readonly RenewResult[]> {
    this.#session.assertOpen()
    const results: RenewResult[] = []
    results.length = leases.length
    for (let start = 0; start < leases.length; start += atOnce) {
      const batch = leases.slice(start, start + atOnce)
      const rows = await this.#session.run(this.#statements.renew, { leases: batch.map(askRenewal) })
      await Promise.all(
        batch.map(async (lease, index) => {
          const result = await this.#resultOf(lease, rows[index])
          if (result !== undefined) results[start + index] = result
        }),
      )
    }
    return results
  }

  async #resultOf(lease: HeldLease, row: Row | undefined): Promise<RenewResult | undefined> {
    switch (row?.[1]) {
      case 'renewed':
        return 'renewed'
      case 'locked':
        return undefined
      case 'found': {
        const rule = ruleFor(lease)
        return judge(row, 2, rule)?.result ?? this.#reassert(lease)
      }
      case 'absent':
        return this.#reassert(lease)
      default:
        throw new Error('The renewal returned a word that is not known.')
    }
  }

  /** The store forgot the record, and learns it again from its holder. */
  async #reassert(lease: HeldLease): Promise<RenewResult | undefined> {
    try {
      const write = { id: lease.id, asked: askHeld(lease) }
      return await this.#writes.perform(this.#statements.reassert, write, ruleFor(lease))
    } catch (error) {
      if (error instanceof Error && isLocked(error.cause)) return undefined
      throw error
    }
  }
}

function askRenewal({ id, token, leaseMs }: HeldLease): object {
  return { id: encodeText(id), token, lease_ms: encodeSpan(leaseMs) }
}

function ruleFor(lease: HeldLease) {
  return {
    written: 'renewed',
    unreadable: 'stale',
    rule: (record: Parameters<typeof rules.renew>[0], nowMs: number) => rules.renew(record, lease, nowMs),
  } as const
}
