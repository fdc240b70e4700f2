// A store over any set of rules: how a seeded bug gets into the simulation. The real store takes the real
// rules, and no others.

import type { Clock } from '../../../src/core/clock.ts'
import type { IdempotencyRecord } from '../../../src/core/record.ts'
import type { Store } from '../../../src/core/store.ts'
import { inspected } from '../../../src/stores/embedded/inspecting.ts'
import { ForwardClock } from '../../../src/stores/embedded/forward-clock.ts'
import { Watchers } from '../../../src/stores/embedded/watchers.ts'
import { rulesOf, type SeededBug } from '../seeded-bugs.ts'
import { mixed } from './random.ts'
import type { Subject } from './simulate.ts'

/** Long enough, for some, that another verb comes between the two steps of a verb that is split. */
function pauseMs(count: number, leaseMs: number): number {
  return count % 2 === 0 ? 3 : mixed(count) % (leaseMs * 2)
}

export function buggySubject(bug: SeededBug | undefined): Subject {
  return { store: (clock) => rulesStore(bug, clock), flaws: bug ?? {} }
}

function rulesStore(bug: SeededBug | undefined, clock: Clock): Store {
  const rules = rulesOf(bug)
  const records = new Map<string, IdempotencyRecord>()
  const watchers = new Watchers()
  const time = new ForwardClock(clock)
  const put = (write: IdempotencyRecord | undefined) => {
    if (write === undefined) return
    records.set(write.id, write)
    watchers.notify(write.id)
  }
  let splits = 0
  const step = async (verb: 'claim' | 'complete', leaseMs: number) => {
    if (bug?.split?.includes(verb) !== true) return
    splits += 1
    await new Promise<void>((resolve) => void clock.setTimer(resolve, pauseMs(splits, leaseMs)))
  }
  return {
    name: 'rules',
    durable: true,
    async claim(request) {
      const { result, write } = rules.claim(records.get(request.id), request, time.now())
      await step('claim', 3)
      put(write)
      return result
    },
    async renew(leases) {
      return leases.map((lease) => {
        const { result, write } = rules.renew(records.get(lease.id), lease, time.now())
        put(write)
        return result
      })
    },
    async complete(lease, outcome) {
      const { result, write } = rules.complete(records.get(lease.id), lease, outcome, time.now())
      await step('complete', lease.leaseMs)
      put(write)
      return result
    },
    async release(lease, { clean }) {
      const { result, write } = rules.release(records.get(lease.id), lease, clean, time.now())
      put(write)
      return result
    },
    async abandon(id, owner) {
      put(rules.abandon(records.get(id), owner, time.now()).write)
    },
    async recordStep(lease, change) {
      const { result, write } = rules.recordStep(records.get(lease.id), lease, change, time.now())
      put(write)
      return result
    },
    async watch(id, listener) {
      return watchers.add(id, listener)
    },
    inspect: {
      list: async () => ({ records: [] }),
      async get(id) {
        const record = records.get(id)
        return record && inspected(record, time.now())
      },
      async forget(id) {
        const record = records.get(id)
        if (record === undefined) return false
        time.passToken(record.token)
        watchers.notify(id)
        return records.delete(id)
      },
      async settle(id, resolution) {
        const { result, write } = rules.settle(records.get(id), resolution, time.now())
        put(write)
        return result
      },
    },
    async close() {
      watchers.clear()
    },
  }
}
