import { IdempotencyError, nameAndMessage } from '../../core/errors.ts'
import type { ClaimedResult, ClaimRequest, ClaimResult, Takeover } from '../../core/store.ts'
import * as rules from '../../core/transitions.ts'
import { ServerClock } from '../remote/server-clock.ts'
import { askClaim, askReclaim } from './arguments.ts'
import type { Row } from './database.ts'
import {
  bytesIn,
  decodeResponse,
  decodeSteps,
  type Fields,
  fieldsIn,
  findIn,
  integer,
  textIn,
} from './rows.ts'
import { Gathering } from './gathering.ts'
import type { Session } from './session.ts'
import type { Statements } from './statements.ts'
import { repeated } from './writes.ts'

/** Claims with a lease shorter than this may still be carried out so long after they were sent. */
const leastClaimWindowMs = 1_000

type Reply = { readonly kind: 'result'; readonly result: ClaimResult } | { readonly kind: 'too-late' }

type ClaimStatements = Pick<Statements, 'claim' | 'claimAll' | 'reclaim'>

export class Claims {
  readonly #session: Session
  readonly #statements: ClaimStatements
  readonly #gathering: Gathering
  readonly #clock = new ServerClock()

  constructor(session: Session, statements: ClaimStatements) {
    this.#session = session
    this.#statements = statements
    const { claim, claimAll } = statements
    this.#gathering = new Gathering(session, { alone: claim, together: claimAll })
  }

  /**
   * Sends the claim with the time until which it may be carried out. A statement may lie in the pool's queue, or in a
   * server that stands still, until the request was answered 503 long ago: it would lock the key for a handler that
   * never runs.
   */
  async claim(request: ClaimRequest): Promise<ClaimResult> {
    const windowMs = Math.max(request.leaseMs, leastClaimWindowMs)
    const giveUpAtMs = performance.now() + windowMs
    const first = await this.#send(request, windowMs)
    if (first.kind === 'result') return first.result
    // Not late at all, but this clock and the server's differ more than was known: the reply told the server's time.
    const leftMs = giveUpAtMs - performance.now()
    const second = leftMs > 0 ? await this.#send(request, leftMs) : first
    if (second.kind === 'result') return second.result
    throw new IdempotencyError(
      'store-failed',
      'The claim reached Postgres too late, and was not carried out.',
    )
  }

  #send(request: ClaimRequest, windowMs: number): Promise<Reply> {
    let isFirst = true
    return repeated(async () => {
      const deadlineMs = this.#clock.now() + windowMs
      let row = isFirst
        ? await this.#gathering.run(askClaim(request, deadlineMs))
        : (await this.#session.run(this.#statements.reclaim, askReclaim(request, deadlineMs)))[0]
      isFirst = false
      if (row?.[4] === 'long')
        [row] = await this.#session.run(this.#statements.claim, askClaim(request, deadlineMs))
      if (row === undefined) throw new Error('The claim returned no row.')
      this.#clock.learn(Number(textIn(row[0])))
      const reply = readReply(row, request, deadlineMs)
      return reply && { result: reply }
    })
  }
}

/** Undefined if the claim was neither granted nor refused: the record may be taken over, or another claim came between. */
function readReply(
  [now, granted, stored, body]: Row,
  request: ClaimRequest,
  deadlineMs: number,
): Reply | undefined {
  const grant = fieldsIn(granted)
  if (grant !== undefined) return { kind: 'result', result: readable(() => claimed(grant, bytesIn(body))) }
  const nowMs = Number(textIn(now))
  const found = findIn(fieldsIn(stored), bytesIn(body), nowMs)
  if (found.kind === 'unreadable') return { kind: 'result', result: found }
  const record = found.kind === 'record' ? found.record : undefined
  const { result, write } = rules.claim(record, request, nowMs)
  if (write === undefined) return { kind: 'result', result }
  return nowMs > deadlineMs ? { kind: 'too-late' } : undefined
}

/** The statement knows nothing of what steps and answers hold: where they can't be read, nothing runs all the same. */
function readable(result: () => ClaimResult): ClaimResult {
  try {
    return result()
  } catch (error) {
    return { kind: 'unreadable', reason: `It is damaged: ${nameAndMessage(error).message}` }
  }
}

function claimed(grant: Fields, body: Buffer): ClaimedResult {
  const [token, attempt] = [integer(grant, 'token'), integer(grant, 'attempt')]
  const takeover = takeoverIn(grant, body)
  const steps = decodeSteps(grant)
  return { kind: 'claimed', token, attempt, ...(takeover && { takeover }), ...(steps && { steps }) }
}

function takeoverIn(grant: Fields, body: Buffer): Takeover | undefined {
  switch (grant['takeover']) {
    case null:
      return undefined
    case 'lapsed':
    case 'unknown':
    case 'released':
      return { of: grant['takeover'] }
    case 'failed':
      return { of: 'failed', response: decodeResponse(grant, body) }
    default:
      throw new Error('A claim took over something that is not known.')
  }
}
