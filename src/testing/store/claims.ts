import assert from 'node:assert/strict'
import type { ClaimResult, Store } from '../../core/store.ts'
import {
  answered,
  assertReplay,
  bringTo,
  claimKind,
  fingerprint,
  incomparableFingerprint,
  kept,
  longLeaseMs,
  mustClaim,
  mustComplete,
  otherFingerprint,
  pastShortLeaseMs,
  requestFor,
  situations,
  withRecovery,
} from './kit.ts'
import type { StoreCase } from './subject.ts'

export const claimCases: readonly StoreCase[] = [
  {
    name: 'a new key is claimed, with a token and as the first attempt',
    async run({ store }) {
      const result = await store.claim(requestFor('k'))
      assert(result.kind === 'claimed')
      assert(Number.isSafeInteger(result.token) && result.token > 0, `token ${result.token}`)
      assert.equal(result.attempt, 1)
      assert.equal(result.takeover, undefined)
    },
  },
  {
    name: 'of 100 claims at once, one wins',
    async run({ store }) {
      assertOneWinner(await Promise.all(claimsOf(store, 100)))
    },
  },
  {
    name: 'of 100 claims at once over two connections, one wins',
    needs: ['shared'],
    async run({ store, connect }) {
      const other = await connect()
      const rounds = ['a', 'b', 'c', 'd', 'e']
      for (const id of rounds) {
        const claims = Array.from({ length: 50 }, () => [
          store.claim(requestFor(id)),
          other.claim(requestFor(id)),
        ])
        assertOneWinner(await Promise.all(claims.flat()))
      }
    },
  },
  {
    name: 'keys do not disturb each other',
    async run({ store }) {
      const ids = Array.from({ length: 100 }, (_, index) => `k${index}`)
      await Promise.all(
        ids.map(async (id) => {
          const lease = await mustClaim(store, id)
          await mustComplete(store, lease, answered(kept(`answer to ${id}`)))
        }),
      )
      await Promise.all(ids.map((id) => assertReplay(store, id, kept(`answer to ${id}`))))
    },
  },
  {
    name: 'another connection sees a claim and its answer at once',
    needs: ['shared'],
    async run({ store, connect }) {
      const other = await connect()
      for (let round = 0; round < 20; round += 1) {
        const id = `k${round}`
        const lease = await mustClaim(store, id)
        assert.equal(await claimKind(other, id), 'running')
        await mustComplete(store, lease, answered(kept(id)))
        await assertReplay(other, id, kept(id))
      }
    },
  },
  {
    name: 'the same owner claiming again gets the same token, and nobody else does',
    async run({ store }) {
      const request = requestFor('k')
      const [first, again] = await Promise.all([store.claim(request), store.claim(request)])
      assert(first.kind === 'claimed')
      assert.deepEqual(again, first)
      assert.deepEqual(await store.claim(request), first)
      assert.equal(await claimKind(store, 'k'), 'running')
    },
  },
  {
    name: 'the same owner claiming again after a takeover still knows that it took over',
    async run({ store, pass }) {
      await bringTo('lapsed', store, 'k', withRecovery('rerun'))
      await pass(pastShortLeaseMs)
      const request = requestFor('k', withRecovery('rerun'))
      const first = await store.claim(request)
      const again = await store.claim(request)
      assert(first.kind === 'claimed' && again.kind === 'claimed')
      assert.equal(again.token, first.token)
      assert(first.takeover !== undefined && again.takeover !== undefined)
    },
  },
  {
    name: 'a duplicate learns how long the run has lasted, and how long its lease still is',
    async run({ store, pass }) {
      await mustClaim(store, 'k')
      await pass(30)
      const result = await store.claim(requestFor('k'))
      assert(result.kind === 'running')
      assert(result.ageMs >= 30 && result.ageMs < longLeaseMs, `age ${result.ageMs}`)
      assert(result.leaseLeftMs > 0 && result.leaseLeftMs <= longLeaseMs - 30, `left ${result.leaseLeftMs}`)
    },
  },
  {
    name: 'a duplicate learns how long the answer will still be kept',
    async run({ store, pass }) {
      const policy = { recovery: 'refuse', retainMs: 50_000, retainUnknownMs: 90_000 } as const
      const lease = await mustClaim(store, 'k', { policy })
      await mustComplete(store, lease, answered(kept('x')))
      await pass(30)
      const result = await store.claim(requestFor('k'))
      assert(result.kind === 'completed')
      assert(result.expiresInMs > 0 && result.expiresInMs <= 50_000 - 30, `left ${result.expiresInMs}`)
    },
  },
  {
    name: 'another request under the key is refused in every state, and changes nothing',
    async run({ store, pass }) {
      for (const situation of situations) await bringTo(situation, store, situation, withRecovery('rerun'))
      await pass(pastShortLeaseMs)
      const other = { fingerprint: otherFingerprint, ...withRecovery('rerun') }
      for (const situation of situations) {
        assert.equal(await claimKind(store, situation, other), 'mismatch', situation)
      }
      await assertSituationsStand(store)
    },
  },
  {
    name: 'a request that can not be compared is told apart from another one, and changes nothing',
    async run({ store, pass }) {
      for (const situation of situations) await bringTo(situation, store, situation, withRecovery('rerun'))
      await pass(pastShortLeaseMs)
      const other = { fingerprint: incomparableFingerprint, ...withRecovery('rerun') }
      for (const situation of situations) {
        assert.equal(await claimKind(store, situation, other), 'incomparable', situation)
      }
      await assertSituationsStand(store)
    },
  },
  {
    name: 'one digest in common is enough for the same request',
    async run({ store }) {
      await mustClaim(store, 'k', { fingerprint: 'b1:one v1:shared' })
      assert.equal(await claimKind(store, 'k', { fingerprint: 'b1:two v1:shared' }), 'running')
      assert.equal(await claimKind(store, 'k', { fingerprint: 'v1:shared' }), 'running')
      assert.equal(await claimKind(store, 'k', { fingerprint: 'b1:two v1:else' }), 'mismatch')
    },
  },
]

function claimsOf(store: Store, count: number): Promise<ClaimResult>[] {
  return Array.from({ length: count }, () => store.claim(requestFor('k')))
}

function assertOneWinner(results: readonly ClaimResult[]): void {
  const kinds = results.map(({ kind }) => kind)
  assert.equal(kinds.filter((kind) => kind === 'claimed').length, 1, `winners among ${kinds.join(' ')}`)
  assert.equal(kinds.filter((kind) => kind === 'running').length, results.length - 1)
}

async function assertSituationsStand(store: Store): Promise<void> {
  const expected = {
    running: 'running',
    lapsed: 'lapsed',
    completed: 'completed',
    failed: 'completed',
    unknown: 'lapsed',
    'released uncleanly': 'lapsed',
  } as const
  for (const situation of situations) {
    assert.equal(await claimKind(store, situation, { fingerprint }), expected[situation], situation)
  }
}
