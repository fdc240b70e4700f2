import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { RecoveryMode } from '../../src/core/record.ts'
import type { ClaimRequest, HeldLease, Outcome, Resolution, Store } from '../../src/core/store.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { sqliteStore } from '../../src/stores/sqlite.ts'
import type { ManualClock } from './manual-clock.ts'
import { answer } from './verbs.ts'
import { createPlace, destroyPlace } from './sqlite/places.ts'

// One script of verbs runs through several stores at once. Whatever they say, and whatever they hold at the
// end, must be equal: the memory store, which is small enough to see through, is the model of the others.

const id = fc.constantFrom('a', 'b', 'c')
const owner = fc.constantFrom('x', 'y', 'z')
const fingerprint = fc.constantFrom('b1:1 v1:1', 'b1:2 v1:1', 'b1:3 v1:3', 'c1:1')
const recovery = fc.constantFrom<RecoveryMode>('refuse', 'reconcile', 'rerun')
const duration = fc.constantFrom(10, 100, 1_000)

const outcome = fc.oneof(
  fc.constant<Outcome>({ kind: 'unknown' }),
  fc
    .record({
      failed: fc.boolean(),
      body: fc.uint8Array({ maxLength: 8 }),
      status: fc.constantFrom(200, 500),
    })
    .map(({ failed, body, status }): Outcome => ({ ...answer(body, { status }), failed })),
  fc.constant<Outcome>({
    kind: 'response',
    failed: false,
    response: { kind: 'tombstone', status: 201, location: '/x', reason: 'too-large' },
  }),
)

const resolution = fc.constantFrom<Resolution>(
  { kind: 'release' },
  {
    kind: 'response',
    response: { kind: 'kept', status: 200, headers: [['x', 'y']], body: Uint8Array.of(1) },
  },
)

const request = fc.record({
  id,
  owner,
  fingerprint,
  policy: fc.record({ recovery, retainMs: duration, retainUnknownMs: duration }),
  leaseMs: duration,
})

/** A lease that was granted, by its place in the history; it may be long stale, or forgotten. */
const lease = fc.nat({ max: 30 })

type Step =
  | { readonly kind: 'claim'; readonly request: ClaimRequest }
  | { readonly kind: 'renew'; readonly leases: readonly number[] }
  | { readonly kind: 'complete'; readonly lease: number; readonly outcome: Outcome }
  | { readonly kind: 'release'; readonly lease: number; readonly clean: boolean }
  | { readonly kind: 'abandon'; readonly id: string; readonly owner: string }
  | { readonly kind: 'forget'; readonly id: string }
  | { readonly kind: 'settle'; readonly id: string; readonly resolution: Resolution }
  | { readonly kind: 'pass'; readonly durationMs: number }
  | { readonly kind: 'jump'; readonly durationMs: number }

const verbs: fc.WeightedArbitrary<Step>[] = [
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('claim'), request }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('renew'), leases: fc.array(lease, { maxLength: 4 }) }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('complete'), lease, outcome }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('release'), lease, clean: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abandon'), id, owner }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('forget'), id }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('settle'), id, resolution }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pass'),
      durationMs: fc.constantFrom(1, 9, 10, 90, 1_000, 3_000),
    }),
  },
]

const jump: fc.WeightedArbitrary<Step> = {
  weight: 2,
  arbitrary: fc.record({ kind: fc.constant('jump'), durationMs: fc.integer({ min: -5_000, max: 5_000 }) }),
}

test('memory and SQLite agree on every sequence of verbs, whatever the wall clock does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(...verbs, jump), { maxLength: 60 }), async (steps) => {
      const place = createPlace()
      const { clock } = place
      const stores = [memoryStore({ clock }), sqliteStore(place.file, { clock })]
      try {
        await agree(steps, clock, (verb) => Promise.all(stores.map((store) => verb(store))))
      } finally {
        await Promise.all(stores.map((store) => store.close()))
        destroyPlace(place)
      }
    }),
    { numRuns: 300 },
  )
})

test('memory and two connections to one SQLite file agree, whichever connection a verb goes through', async () => {
  const script = fc.array(fc.tuple(fc.oneof(...verbs), fc.boolean()), { maxLength: 60 })
  await fc.assert(
    fc.asyncProperty(script, async (steps) => {
      const place = createPlace()
      const { clock } = place
      const memory = memoryStore({ clock })
      const [first, second] = [sqliteStore(place.file, { clock }), sqliteStore(place.file, { clock })]
      const turns = steps.map(([, useFirst]) => useFirst).values()
      try {
        await agree(
          steps.map(([step]) => step),
          clock,
          (verb) => Promise.all([verb(memory), verb(turns.next().value === true ? first : second)]),
        )
      } finally {
        await Promise.all([memory, first, second].map((store) => store.close()))
        destroyPlace(place)
      }
    }),
    { numRuns: 150 },
  )
})

type OnAll = (verb: (store: Store) => Promise<unknown>) => Promise<unknown[]>

async function agree(steps: readonly Step[], clock: ManualClock, onAll: OnAll): Promise<void> {
  const leases: HeldLease[] = []
  for (const step of steps) {
    if (step.kind === 'pass') clock.advance(step.durationMs)
    else if (step.kind === 'jump') clock.jump(step.durationMs)
    else {
      const results = await onAll((store) => perform(store, step, leases))
      for (const result of results) expect(result).toEqual(results[0])
      if (step.kind === 'claim') remember(leases, step.request, results[0])
    }
  }
  const [expected, ...others] = await onAll((store) => contentsOf(store))
  for (const contents of others) expect(contents).toEqual(expected)
}

type Verb = Exclude<Step, { readonly kind: 'pass' | 'jump' }>

async function perform(store: Store, step: Verb, leases: readonly HeldLease[]): Promise<unknown> {
  switch (step.kind) {
    case 'claim':
      return store.claim(step.request)
    case 'renew': {
      const held = step.leases.flatMap((index) => leaseAt(leases, index) ?? [])
      // Without a lease SQLite has no reason to read the clock, and one that then goes back was never seen.
      return held.length > 0 && store.renew(held)
    }
    case 'abandon':
      return store.abandon(step.id, step.owner)
    case 'forget':
      return store.inspect?.forget(step.id)
    case 'settle':
      return store.inspect?.settle(step.id, step.resolution)
    case 'complete': {
      const held = leaseAt(leases, step.lease)
      return held && store.complete(held, step.outcome)
    }
    case 'release': {
      const held = leaseAt(leases, step.lease)
      return held && store.release(held, { clean: step.clean })
    }
  }
}

/** The last lease is the most likely one; the oldest are met too. */
function leaseAt(leases: readonly HeldLease[], index: number): HeldLease | undefined {
  return leases.at(-1 - (index % Math.max(leases.length, 1)))
}

function remember(leases: HeldLease[], claimed: ClaimRequest, result: unknown): void {
  const { kind, token, attempt, takeover } = Object(result)
  if (kind === 'claimed') leases.push({ ...claimed, token, attempt, takeover: takeover !== undefined })
}

/** What the store holds, in an order that is no store's own. */
async function contentsOf(store: Store): Promise<unknown> {
  const page = await store.inspect?.list({ limit: 100 })
  return page?.records.toSorted((a, b) => a.id.localeCompare(b.id))
}
