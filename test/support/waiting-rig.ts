import { expect } from 'vitest'
import type { Decision } from '../../src/core/decision.ts'
import { call, type CallOptions, leaseMs, type Rig, waiting } from './engine-rig.ts'

export function wait(rig: Rig, options: CallOptions = {}): Promise<Decision> {
  return rig.engine.begin(call({ concurrent: waiting(), ...options }))
}

export async function expectTidy(rig: Rig): Promise<void> {
  await rig.time.advance(2 * leaseMs)
  expect(rig.clock.timers).toBe(0)
  expect(rig.link.subscriptions).toBe(0)
}

export async function afterwards<T>(rig: Rig, ms: number, promise: Promise<T>): Promise<T> {
  await rig.time.advance(ms)
  return promise
}

/** A caller that may leave. */
export function createVisitor(): {
  onGone: (listener: () => void) => () => void
  leave(): void
  readonly listeners: number
} {
  const listeners = new Set<() => void>()
  return {
    onGone(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    leave() {
      for (const listener of listeners) listener()
    },
    get listeners() {
      return listeners.size
    },
  }
}
