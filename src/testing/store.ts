import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Store } from '../core/store.ts'
import { claimCases } from './store/claims.ts'
import { closingCases } from './store/closing.ts'
import { expiryCases } from './store/expiry.ts'
import { fencingCases } from './store/fencing.ts'
import { hostileCases } from './store/hostile.ts'
import { inspectionCases } from './store/inspection.ts'
import { abandonCases, recoveryCases } from './store/recovery.ts'
import { responseCases } from './store/responses.ts'
import { stepCases } from './store/steps.ts'
import type { Need, StoreCase, StoreKit, StoreSubject, TestApi } from './store/subject.ts'
import { unreadableCases } from './store/unreadable.ts'
import { watchCases } from './store/watching.ts'

export type { StoreCapabilities, StoreSubject, TestApi } from './store/subject.ts'

/**
 * The contract of a store: registers a test for each rule that a store must follow, each on a place of its
 * own. A store that passes can be given to any middleware of hapax.
 *
 * @param api The `describe` and `test` of vitest, node:test or Jest.
 * @param subject How to make the stores, and what they can do. Rules about what they can't are left out.
 * @example
 * import { describe, test } from 'node:test'
 *
 * testStore({ describe, test }, {
 *   name: 'my store',
 *   capabilities: { shared: true, watch: false, inspect: false },
 *   create: () => `test-${randomUUID()}:`,
 *   connect: (prefix) => myStore(client, { prefix }),
 *   destroy: (prefix) => deleteAll(client, prefix),
 * })
 */
export function testStore<Place>(api: TestApi, subject: StoreSubject<Place>): void {
  api.describe(`store contract: ${subject.name}`, () => {
    for (const [group, cases] of Object.entries(groups)) {
      const fitting = cases.filter((rule) => suits(rule, subject))
      // Some runners take a group without tests for a mistake.
      if (fitting.length === 0) continue
      api.describe(group, () => {
        for (const rule of fitting) api.test(rule.name, () => tryCase(rule, subject))
      })
    }
  })
}

const capabilityCases: readonly StoreCase[] = [
  {
    name: 'the store is what it is said to be',
    async run({ store }) {
      assert.equal(typeof store.name, 'string')
      assert.equal(typeof store.durable, 'boolean')
    },
  },
]

const groups: Readonly<Record<string, readonly StoreCase[]>> = {
  capabilities: capabilityCases,
  claim: claimCases,
  fencing: fencingCases,
  recovery: recoveryCases,
  abandon: abandonCases,
  steps: stepCases,
  expiry: expiryCases,
  responses: responseCases,
  'hostile text': hostileCases,
  'unreadable records': unreadableCases,
  watch: watchCases,
  inspect: inspectionCases,
  close: closingCases,
}

function suits<Place>(rule: StoreCase, subject: StoreSubject<Place>): boolean {
  return (rule.needs ?? []).every((need) => has(subject, need))
}

function has<Place>(subject: StoreSubject<Place>, need: Need): boolean {
  switch (need) {
    case 'exact time':
      return subject.advance !== undefined
    case 'corrupt':
    case 'makeNewer':
      return subject[need] !== undefined
    default:
      return subject.capabilities[need]
  }
}

async function tryCase<Place>(rule: StoreCase, subject: StoreSubject<Place>): Promise<void> {
  const place = await subject.create()
  const stores: Store[] = []
  const connect = async (): Promise<Store> => {
    const store = await subject.connect(place)
    stores.push(store)
    assert.equal(store.watch !== undefined, subject.capabilities.watch, 'capabilities.watch is wrong')
    assert.equal(store.inspect !== undefined, subject.capabilities.inspect, 'capabilities.inspect is wrong')
    return store
  }
  try {
    await rule.run(await kitFor(subject, place, connect))
  } finally {
    await Promise.all(stores.map((store) => store.close()))
    await subject.destroy?.(place)
  }
}

async function kitFor<Place>(
  subject: StoreSubject<Place>,
  place: Place,
  connect: () => Promise<Store>,
): Promise<StoreKit> {
  return {
    store: await connect(),
    longestBodyBytes: subject.longestBodyBytes ?? Infinity,
    connect,
    pass: async (durationMs) => {
      // Timers may fire a little early by another clock than their own.
      if (subject.advance === undefined) await sleep(durationMs + 5)
      else await subject.advance(place, durationMs)
    },
    corrupt: async (id) => subject.corrupt?.(place, id),
    makeNewer: async (id) => subject.makeNewer?.(place, id),
  }
}
