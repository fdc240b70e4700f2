import assert from 'node:assert/strict'
import { isIdempotencyError } from '../../core/errors.ts'
import type { Journal } from '../../core/journal.ts'
import type { FinishedStep, StepRecord, StepResult } from '../../core/record.ts'
import type { HeldLease, WriteResult } from '../../core/store.ts'
import { fingerprint, requestFor } from '../store/kit.ts'
import type { JournalKit } from './subject.ts'

export const keepMs = 3_600_000

/** Tokens of stores are microseconds since 1970, and the largest stay below 2^53. */
const firstToken = 1_750_000_000_000_001

/** A lease of the n-th attempt. */
export function leaseOf(id: string, attempt: number, changes: Partial<HeldLease> = {}): HeldLease {
  const request = requestFor(id, { fingerprint })
  return { ...request, token: firstToken + attempt, attempt, takeover: attempt > 1, ...changes }
}

/** Opens the journal, and returns what is remembered. */
export async function mustOpen(
  journal: Journal,
  lease: HeldLease,
  keep = keepMs,
): Promise<readonly StepRecord[]> {
  const opening = await journal.open(lease, keep)
  assert(opening.kind === 'opened', `${lease.id} is ${opening.kind}`)
  return opening.steps
}

export async function mustRecord(
  journal: Journal,
  lease: HeldLease,
  ...steps: readonly StepRecord[]
): Promise<void> {
  for (const step of steps) assert.equal(await journal.recordStep(lease, step), 'written')
}

export function begun(name: string, safe = false): StepRecord {
  return { state: 'begun', name, safe }
}

export function finished(name: string, value: unknown = name): FinishedStep {
  return { state: 'finished', name, result: { kind: 'json', json: JSON.stringify(value) } }
}

/** A transactional step with one effect of its name. `before` runs first, `after` when the effect was written. */
export function transact(
  { addEffect }: Pick<JournalKit, 'addEffect'>,
  journal: Journal,
  lease: HeldLease,
  name: string,
  options: { within?: unknown; after?: () => void | Promise<void>; result?: StepResult } = {},
): Promise<WriteResult> {
  const { within, after = () => {}, result = finished(name).result } = options
  return journal.transact({
    step: { lease, name },
    ...(within !== undefined && { within }),
    work: (transaction) => next(addEffect(transaction, name), () => next(after(), () => result)),
  })
}

/** Goes on at once where there is nothing to wait for. */
export function next<T>(first: void | Promise<void>, following: () => T | Promise<T>): T | Promise<T> {
  return first instanceof Promise ? first.then(following) : following()
}

export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  assert.fail('It should have been rejected.')
}

export async function assertCode(promise: Promise<unknown>, code: string): Promise<void> {
  const error = await rejection(promise)
  assert(isIdempotencyError(error), `Not an error of hapax: ${String(error)}`)
  assert.equal(error.code, code)
}
