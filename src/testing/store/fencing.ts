import assert from 'node:assert/strict'
import type { HeldLease, Store } from '../../core/store.ts'
import {
  answered,
  assertReplay,
  claimKind,
  kept,
  mustClaim,
  mustComplete,
  otherFingerprint,
  pastShortLeaseMs,
  policy,
  requestFor,
  shortLeaseMs,
  unknown,
  withRecovery,
} from './kit.ts'
import type { StoreCase } from './subject.ts'

export const fencingCases: readonly StoreCase[] = [
  {
    name: 'an owner that was replaced can write nothing',
    async run({ store, pass }) {
      const late = await mustClaim(store, 'k', { leaseMs: shortLeaseMs, ...withRecovery('rerun') })
      await pass(pastShortLeaseMs)
      const owner = await mustClaim(store, 'k', withRecovery('rerun'))
      await assertShutOut(store, late)
      assert.equal(await claimKind(store, 'k'), 'running')
      await mustComplete(store, owner, answered(kept('of the second')))
      await assertShutOut(store, late)
      await assertReplay(store, 'k', kept('of the second'))
    },
  },
  {
    name: 'an owner that was replaced can write nothing through another connection either',
    needs: ['shared'],
    async run({ store, connect, pass }) {
      const other = await connect()
      const late = await mustClaim(other, 'k', { leaseMs: shortLeaseMs, ...withRecovery('rerun') })
      await pass(pastShortLeaseMs)
      const owner = await mustClaim(store, 'k', withRecovery('rerun'))
      await assertShutOut(other, late)
      await mustComplete(store, owner, answered(kept('of the second')))
      await assertShutOut(other, late)
      await assertReplay(other, 'k', kept('of the second'))
    },
  },
  {
    name: 'of two owners that complete at once, the later one is recorded',
    async run({ store, pass }) {
      const late = await mustClaim(store, 'k', { leaseMs: shortLeaseMs, ...withRecovery('rerun') })
      await pass(pastShortLeaseMs)
      const owner = await mustClaim(store, 'k', withRecovery('rerun'))
      const results = await Promise.all([
        store.complete(late, answered(kept('of the first'))),
        store.complete(owner, answered(kept('of the second'))),
      ])
      assert.deepEqual(results, ['stale', 'written'])
      await assertReplay(store, 'k', kept('of the second'))
    },
  },
  {
    name: 'a released owner can not come back',
    async run({ store }) {
      const lease = await mustClaim(store, 'k')
      assert.equal(await store.release(lease, { clean: true }), 'written')
      assert.equal(await store.release(lease, { clean: true }), 'written', 'release sent again')
      assert.deepEqual(await store.renew([lease]), ['stale'])
      assert.equal(await store.complete(lease, answered(kept('late'))), 'stale')

      const next = await mustClaim(store, 'k')
      await assertShutOut(store, lease)
      await mustComplete(store, next, answered(kept('of the next')))
      await assertReplay(store, 'k', kept('of the next'))
    },
  },
  {
    name: 'an owner whose record expired and was claimed anew can write nothing',
    async run({ store, pass }) {
      const short = { ...policy, retainMs: 30, retainUnknownMs: 30 }
      const late = await mustClaim(store, 'k', { policy: short })
      await mustComplete(store, late, answered(kept('first')))
      await pass(60)
      const owner = await mustClaim(store, 'k', { fingerprint: otherFingerprint })
      assert.equal(owner.attempt, 1)
      await assertShutOut(store, late)
      assert.equal(await claimKind(store, 'k', { fingerprint: otherFingerprint }), 'running')
    },
  },
  {
    name: 'a completion sent again is acknowledged, and the first one stands',
    async run({ store }) {
      const lease = await mustClaim(store, 'k')
      await mustComplete(store, lease, answered(kept('first')))
      await mustComplete(store, lease, answered(kept('second')))
      await mustComplete(store, lease, unknown)
      await assertReplay(store, 'k', kept('first'))
    },
  },
  {
    name: 'after completion, release is refused and renewal changes nothing',
    async run({ store }) {
      const lease = await mustClaim(store, 'k')
      await mustComplete(store, lease, answered(kept('answer')))
      assert.equal(await store.release(lease, { clean: true }), 'stale')
      assert.equal(await store.release(lease, { clean: false }), 'stale')
      assert.deepEqual(await store.renew([lease]), ['renewed'])
      await assertReplay(store, 'k', kept('answer'))
    },
  },
  {
    name: 'a late owner that nobody replaced can renew, and then runs again',
    async run({ store, pass }) {
      const lease = await mustClaim(store, 'k', { leaseMs: shortLeaseMs })
      await pass(pastShortLeaseMs)
      assert.equal(await claimKind(store, 'k'), 'lapsed')
      assert.deepEqual(await store.renew([{ ...lease, leaseMs: 60_000 }]), ['renewed'])
      assert.equal(await claimKind(store, 'k'), 'running')
    },
  },
  {
    name: 'a late owner that nobody replaced can complete and can release',
    async run({ store, pass }) {
      const completing = await mustClaim(store, 'a', { leaseMs: shortLeaseMs })
      const releasing = await mustClaim(store, 'b', { leaseMs: shortLeaseMs })
      await pass(pastShortLeaseMs)
      await mustComplete(store, completing, answered(kept('the truth')))
      await assertReplay(store, 'a', kept('the truth'))
      assert.equal(await store.release(releasing, { clean: true }), 'written')
      assert.equal(await claimKind(store, 'b'), 'claimed')
    },
  },
  {
    name: 'renewal keeps a lease alive for longer than it was first given',
    async run({ store, pass }) {
      const lease = await mustClaim(store, 'k', { leaseMs: 400 })
      for (let round = 0; round < 3; round += 1) {
        await pass(150)
        assert.deepEqual(await store.renew([lease]), ['renewed'])
      }
      assert.equal(await claimKind(store, 'k'), 'running')
    },
  },
  {
    name: 'a batch of renewals is answered in its order, and an empty one too',
    async run({ store }) {
      const [a, b, c] = [
        await mustClaim(store, 'a'),
        await mustClaim(store, 'b'),
        await mustClaim(store, 'c'),
      ]
      await store.release(b, { clean: true })
      assert.deepEqual(await store.renew([a, b, c]), ['renewed', 'stale', 'renewed'])
      assert.deepEqual(await store.renew([c, b, a]), ['renewed', 'stale', 'renewed'])
      assert.deepEqual(await store.renew([]), [])
    },
  },
  {
    name: 'a renewal of a record that the store forgot asserts it again',
    async run({ store }) {
      const lease = await forgottenLease(store)
      assert.deepEqual(await store.renew([lease]), ['renewed'])
      assert.equal(await claimKind(store, lease.id), 'running')
      assert.equal(await claimKind(store, lease.id, { fingerprint: otherFingerprint }), 'mismatch')
      await mustComplete(store, lease, answered(kept('answer')))
      await assertReplay(store, lease.id, kept('answer'))
    },
  },
  {
    name: 'a completion of a record that the store forgot creates it',
    async run({ store }) {
      const lease = await forgottenLease(store)
      await mustComplete(store, lease, answered(kept('answer')))
      await assertReplay(store, lease.id, kept('answer'))
      assert.equal(await claimKind(store, lease.id, { fingerprint: otherFingerprint }), 'mismatch')
    },
  },
  {
    name: 'a release of a record that the store forgot leaves the key new',
    async run({ store }) {
      const lease = await forgottenLease(store)
      assert.equal(await store.release(lease, { clean: true }), 'written')
      const next = await mustClaim(store, lease.id, { fingerprint: otherFingerprint })
      assert.equal(next.attempt, 1)
    },
  },
  {
    name: 'a store that fell back to an older record gives way to the later token',
    async run({ store }) {
      const older = await mustClaim(store, 'k')
      const later: HeldLease = {
        ...requestFor('k'),
        token: older.token + 1_000_000,
        attempt: 2,
        takeover: false,
      }
      assert.deepEqual(await store.renew([later]), ['renewed'])
      await assertShutOut(store, older)
      await mustComplete(store, later, answered(kept('of the later')))
      await assertReplay(store, 'k', kept('of the later'))
    },
  },
  {
    name: 'tokens rise with every grant of a key',
    async run({ store, pass }) {
      const brief = { policy: { ...policy, recovery: 'rerun', retainMs: 20, retainUnknownMs: 20 } } as const
      const tokens: number[] = []
      for (let round = 0; round < 3; round += 1) {
        const released = await mustClaim(store, 'k', { ...withRecovery('rerun') })
        await store.release(released, { clean: true })
        const lapsing = await mustClaim(store, 'k', { leaseMs: shortLeaseMs, ...withRecovery('rerun') })
        await pass(pastShortLeaseMs)
        const takingOver = await mustClaim(store, 'k', brief)
        await mustComplete(store, takingOver, answered(kept('x')))
        await pass(50)
        tokens.push(released.token, lapsing.token, takingOver.token)
      }
      const rising = tokens.every((token, index) => index === 0 || token > (tokens[index - 1] ?? 0))
      assert(rising, `tokens ${tokens.join(' ')}`)
    },
  },
  {
    name: 'many verbs at once each get their own result',
    async run({ store }) {
      const leases = await Promise.all(
        Array.from({ length: 30 }, (_, index) => mustClaim(store, `k${index}`)),
      )
      const results = await Promise.all(
        leases.map((lease, index) => {
          if (index % 3 === 0) return store.complete(lease, answered(kept(lease.id)))
          if (index % 3 === 1) return store.release(lease, { clean: true })
          return store.complete({ ...lease, token: lease.token - 1 }, answered(kept('stale')))
        }),
      )
      assert.deepEqual(
        results,
        leases.map((_, index) => (index % 3 === 2 ? 'stale' : 'written')),
      )
      const kinds = await Promise.all(leases.map(({ id }) => claimKind(store, id)))
      assert.deepEqual(
        kinds,
        leases.map((_, index) => ['completed', 'claimed', 'running'][index % 3]),
      )
    },
  },
]

/** Asserts that every write under this lease is refused. */
export async function assertShutOut(store: Store, lease: HeldLease): Promise<void> {
  assert.deepEqual(await store.renew([lease]), ['stale'])
  assert.equal(await store.complete(lease, answered(kept('stale'))), 'stale')
  assert.equal(await store.complete(lease, unknown), 'stale')
  assert.equal(await store.release(lease, { clean: true }), 'stale')
  assert.equal(await store.release(lease, { clean: false }), 'stale')
}

/** A lease on a record that is not there, with a token as this store gives them out. */
async function forgottenLease(store: Store): Promise<HeldLease> {
  const { token, attempt, takeover } = await mustClaim(store, 'present')
  return { ...requestFor('forgotten'), token, attempt, takeover }
}
