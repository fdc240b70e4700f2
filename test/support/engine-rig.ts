import { expect } from 'vitest'
import type { Decision } from '../../src/core/decision.ts'
import { Engine } from '../../src/core/engine.ts'
import type { IdempotencyEvent } from '../../src/core/events.ts'
import type { Lease } from '../../src/core/lease.ts'
import { readOptions } from '../../src/core/option-readers.ts'
import { callSettings, engineReaders, type EngineOptions, engineSettings } from '../../src/core/options.ts'
import type { KeptResponse } from '../../src/core/record.ts'
import type { Call, Concurrent, Reconcile } from '../../src/core/settings.ts'
import type { InspectedRecord, Store, Unsubscribe } from '../../src/core/store.ts'
import { recordId } from '../../src/protocol/identity.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { type VirtualClock, VirtualTime } from './clock.ts'
import { FaultyLink } from './faulty-link.ts'

/** One process: an engine with its own clock and its own link to the store that all processes share. */
export interface Rig {
  readonly time: VirtualTime
  readonly clock: VirtualClock
  readonly store: Store
  readonly link: FaultyLink
  readonly engine: Engine
  readonly events: IdempotencyEvent[]
  readonly warnings: string[]
}

export interface RigOptions extends Omit<EngineOptions, 'store' | 'clock' | 'logger' | 'on'> {
  /** A process beside this one: same time, same store. */
  beside?: Rig
  /** A second engine in the same process, on the very same store object. */
  within?: Rig
  /** False: a store without subscriptions. */
  watch?: boolean
  on?: (event: IdempotencyEvent) => unknown
}

export function createRig({ within, beside = within, watch = true, on, ...options }: RigOptions = {}): Rig {
  const time = beside?.time ?? new VirtualTime()
  const store = beside?.store ?? memoryStore({ clock: time.clock() })
  const clock = within?.clock ?? time.clock()
  const link = within?.link ?? new FaultyLink(store, time.clock(), { watch })
  const events: IdempotencyEvent[] = []
  const warnings: string[] = []
  const values = readOptions(
    {
      ...options,
      store: link.store,
      clock,
      logger: { warn: (message: string) => warnings.push(message) },
      on(event: IdempotencyEvent) {
        events.push(event)
        return on?.(event)
      },
    },
    engineReaders(() => store),
  )
  return { time, clock, store, link, engine: new Engine(engineSettings(values)), events, warnings }
}

export interface CallOptions {
  key?: string
  scope?: string
  fingerprint?: string
  recovery?: 'refuse' | 'rerun' | Reconcile
  concurrent?: Concurrent
  leaseMs?: number
  maxRunMs?: number
  retainMs?: number
  onGone?: (listener: () => void) => Unsubscribe
}

export const leaseMs = 30_000
export const hourMs = 3_600_000

export function call(options: CallOptions = {}): Call {
  const values = {
    retain: options.retainMs ?? 24 * hourMs,
    retainUnknown: 720 * hourMs,
    lease: options.leaseMs ?? leaseMs,
    maxRun: options.maxRunMs ?? hourMs,
    concurrent: options.concurrent ?? { kind: 'reject' as const },
  }
  return {
    key: options.key ?? 'key',
    scope: options.scope ?? 'user',
    fingerprint: options.fingerprint ?? 'v1:same',
    settings: callSettings(values, options.recovery ?? 'refuse'),
    ...(options.onGone && { onGone: options.onGone }),
  }
}

export function waiting(waitMs = 10_000): Concurrent {
  return { kind: 'wait', waitMs }
}

export async function beginRun(rig: Rig, options: CallOptions = {}): Promise<Lease> {
  return leaseOf(await rig.engine.begin(call(options)))
}

export function leaseOf(decision: Decision): Lease {
  if (decision.kind === 'proceed') return decision.lease
  throw new Error(`Expected to proceed, but: ${JSON.stringify(decision)}`)
}

export function expectProblem(decision: Decision, code: string): Extract<Decision, { kind: 'reject' }> {
  if (decision.kind !== 'reject') throw new Error(`Expected ${code}, but got to ${decision.kind}.`)
  expect(decision.problem.code).toBe(code)
  return decision
}

export function expectReplay(decision: Decision, body: string): void {
  if (decision.kind !== 'replay') throw new Error(`Expected a replay, but: ${JSON.stringify(decision)}`)
  expect(Buffer.from(decision.response.body).toString()).toBe(body)
}

export function retryAfterOf(decision: Decision): string | undefined {
  if (decision.kind !== 'reject') return undefined
  return decision.problem.headers.find(([name]) => name === 'Retry-After')?.[1]
}

export function answer(body = 'made', status = 201): KeptResponse {
  return { kind: 'kept', status, headers: [], body: Buffer.from(body) }
}

export async function inspect(rig: Rig, key = 'key'): Promise<InspectedRecord | undefined> {
  return rig.store.inspect?.get(recordId('user', key))
}

export function eventsOf<T extends IdempotencyEvent['type']>(
  rig: Rig,
  type: T,
): Extract<IdempotencyEvent, { type: T }>[] {
  return rig.events.filter((event) => event.type === type) as Extract<IdempotencyEvent, { type: T }>[]
}
