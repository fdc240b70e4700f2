import { expect } from 'vitest'
import { type Idempotency, idempotencyOf } from '../../src/core/idempotency.ts'
import { recordId } from '../../src/protocol/identity.ts'
import { createRig, leaseMs, type Rig, type RigOptions } from './engine-rig.ts'

export const request = { key: 'event-1', scope: 'stripe', payload: { amount: 5 } }
export const id = recordId('stripe', 'event-1')

export function createRuns(options: RigOptions = {}) {
  const rig = createRig(options)
  return { rig, once: idempotencyOf(rig.engine) }
}

/** What the error was, without the stack. */
export async function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  )
  if ('error' in outcome && outcome.error instanceof Error) return outcome.error
  throw new Error(`Expected an error, got ${JSON.stringify(outcome)}`)
}

export function never(): never {
  throw new Error('must not run')
}

/** The process stalls, and another one runs the key meanwhile. */
export async function overtake(rig: Rig): Promise<void> {
  rig.clock.stalled = true
  await rig.time.advance(leaseMs)
  const other = createRuns({ beside: rig })
  await other.once.run({ ...request, recovery: 'rerun' }, () => 'theirs')
  rig.clock.stalled = false
}

export async function leaveUnknown(rig: Rig, once: Idempotency): Promise<void> {
  const dead = createRuns({ beside: rig })
  void dead.once.run({ ...request, recovery: () => 'refuse' }, () => new Promise<never>(() => {}))
  dead.rig.clock.stalled = true
  await rig.time.advance(leaseMs)
  expect(await failure(once.run(request, never))).toMatchObject({ code: 'outcome-unknown' })
}
