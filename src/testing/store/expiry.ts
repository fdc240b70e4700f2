import assert from 'node:assert/strict'
import {
  answered,
  assertReplay,
  bringTo,
  claimKind,
  fingerprint,
  kept,
  longLeaseMs,
  mustClaim,
  mustComplete,
  otherFingerprint,
  policy,
  type Situation,
  situations,
} from './kit.ts'
import type { StoreCase } from './subject.ts'

const retainMs = 1_000
const retainUnknownMs = 5_000

/** How long after its last write a record in this situation is there, with the leases that `bringTo` gives. */
const lifetimesMs: Record<Situation, number> = {
  running: longLeaseMs + retainUnknownMs,
  lapsed: 40 + retainUnknownMs,
  completed: retainMs,
  failed: retainMs,
  unknown: retainUnknownMs,
  'released uncleanly': retainUnknownMs,
}

export const expiryCases: readonly StoreCase[] = [
  ...situations.map(
    (situation): StoreCase => ({
      name: `a record that is ${situation} expires at its moment, and not before`,
      needs: ['exact time'],
      async run({ store, pass }) {
        const options = { policy: { ...policy, retainMs, retainUnknownMs } }
        await bringTo(situation, store, 'k', options)
        await pass(lifetimesMs[situation] - 1)
        assert.equal(await claimKind(store, 'k', { fingerprint: otherFingerprint }), 'mismatch')
        await pass(1)
        const next = await mustClaim(store, 'k', { fingerprint: otherFingerprint })
        assert.equal(next.attempt, 1)
        assert.equal(next.from, undefined)
      },
    }),
  ),
  {
    name: 'a lease ends at its moment, and not before',
    needs: ['exact time'],
    async run({ store, pass }) {
      await mustClaim(store, 'k', { leaseMs: 1_000 })
      await pass(999)
      assert.equal(await claimKind(store, 'k'), 'running')
      await pass(1)
      assert.equal(await claimKind(store, 'k'), 'lapsed')
    },
  },
  {
    name: 'a completed record answers while it is retained, and then the key is new',
    async run({ store, pass }) {
      const brief = await mustClaim(store, 'brief', { policy: { ...policy, retainMs: 40 } })
      const long = await mustClaim(store, 'long', { policy: { ...policy, retainUnknownMs: 40 } })
      await mustComplete(store, brief, answered(kept('brief')))
      await mustComplete(store, long, answered(kept('long')))
      await pass(60)
      assert.equal((await mustClaim(store, 'brief', { fingerprint: otherFingerprint })).attempt, 1)
      await assertReplay(store, 'long', kept('long'))
    },
  },
  {
    name: 'a record in doubt is kept for as long as its own policy says, and then the key is new',
    async run({ store, pass }) {
      await bringTo('unknown', store, 'brief', { policy: { ...policy, retainUnknownMs: 40 } })
      await bringTo('unknown', store, 'long', { policy: { ...policy, retainMs: 40 } })
      await pass(60)
      assert.equal(await claimKind(store, 'brief', { fingerprint: otherFingerprint }), 'claimed')
      assert.equal(await claimKind(store, 'long', { fingerprint }), 'lapsed')
    },
  },
  {
    name: 'a running record does not expire while it is renewed',
    needs: ['exact time'],
    async run({ store, pass }) {
      const lease = await mustClaim(store, 'k', {
        leaseMs: 100,
        policy: { ...policy, retainMs: 10, retainUnknownMs: 10 },
      })
      for (let round = 0; round < 20; round += 1) {
        await pass(90)
        assert.deepEqual(await store.renew([lease]), ['renewed'])
      }
      assert.equal(await claimKind(store, 'k'), 'running')
    },
  },
  {
    name: 'an owner whose record expired, and whom nobody replaced, still records the truth',
    async run({ store, pass }) {
      const lease = await mustClaim(store, 'k', { leaseMs: 20, policy: { ...policy, retainUnknownMs: 20 } })
      await pass(80)
      await mustComplete(store, lease, answered(kept('the truth')))
      await assertReplay(store, 'k', kept('the truth'))
    },
  },
]
