import assert from 'node:assert/strict'
import type { RecoveryMode } from '../../core/record.ts'
import type { Takeover } from '../../core/store.ts'
import {
  answered,
  assertReplay,
  assertSameResponse,
  bringTo,
  claimKind,
  failed,
  kept,
  mustClaim,
  mustComplete,
  otherFingerprint,
  pastShortLeaseMs,
  requestFor,
  type Situation,
  shortLeaseMs,
  unknown,
  withRecovery,
} from './kit.ts'
import { assertShutOut } from './fencing.ts'
import type { StoreCase } from './subject.ts'

/** [what the record's policy allows, what the route asks for, whether a takeover follows, also of a failure]. */
const matrix: ReadonlyArray<
  readonly [record: RecoveryMode, route: RecoveryMode, any: boolean, failed: boolean]
> = [
  ['refuse', 'refuse', false, false],
  ['refuse', 'reconcile', false, false],
  ['refuse', 'rerun', false, false],
  ['reconcile', 'refuse', false, false],
  ['reconcile', 'reconcile', true, true],
  ['reconcile', 'rerun', false, false],
  ['rerun', 'refuse', false, false],
  ['rerun', 'reconcile', true, true],
  ['rerun', 'rerun', true, false],
]

const suspicious: readonly Situation[] = ['lapsed', 'unknown', 'released uncleanly', 'failed']

const takeovers: Partial<Record<Situation, Takeover['of']>> = {
  lapsed: 'lapsed',
  unknown: 'unknown',
  'released uncleanly': 'released',
  failed: 'failed',
}

export const recoveryCases: readonly StoreCase[] = [
  ...suspicious.map(
    (situation): StoreCase => ({
      name: `a record that is ${situation} is taken over only where its policy and the route's allow it`,
      async run({ store, pass }) {
        for (const [record, route] of matrix) {
          await bringTo(situation, store, `${record}-${route}`, withRecovery(record))
        }
        if (situation === 'lapsed') await pass(pastShortLeaseMs)
        for (const [record, route, any, ofFailed] of matrix) {
          const id = `${record}-${route}`
          const result = await store.claim(requestFor(id, withRecovery(route)))
          const allowed = situation === 'failed' ? ofFailed : any
          const refused = situation === 'failed' ? 'completed' : 'lapsed'
          assert.equal(result.kind, allowed ? 'claimed' : refused, id)
          if (result.kind !== 'claimed') continue
          assert.equal(result.attempt, 2)
          assert.equal(result.takeover?.of, takeovers[situation])
        }
      },
    }),
  ),
  {
    name: 'who takes over a failure is given the failure',
    async run({ store }) {
      const lease = await mustClaim(store, 'k', withRecovery('reconcile'))
      const response = kept('broken', { status: 502 })
      await mustComplete(store, lease, failed(response))
      await assertReplay(store, 'k', response, { failed: true })
      const { from } = await mustClaim(store, 'k', withRecovery('reconcile'))
      assert(from?.of === 'failed')
      assertSameResponse(from.response, response)
      assert.equal(await claimKind(store, 'k', withRecovery('reconcile')), 'running')
    },
  },
  {
    name: 'a good answer and a running handler are never taken over',
    async run({ store }) {
      for (const route of ['refuse', 'reconcile', 'rerun'] as const) {
        await bringTo('completed', store, `completed-${route}`, withRecovery('rerun'))
        await bringTo('running', store, `running-${route}`, withRecovery('rerun'))
        assert.equal(await claimKind(store, `completed-${route}`, withRecovery(route)), 'completed')
        assert.equal(await claimKind(store, `running-${route}`, withRecovery(route)), 'running')
      }
    },
  },
  {
    name: 'a takeover writes its own policy into the record',
    async run({ store }) {
      await bringTo('unknown', store, 'k', withRecovery('rerun'))
      const second = await mustClaim(store, 'k', withRecovery('reconcile'))
      await mustComplete(store, second, unknown)
      assert.equal(await claimKind(store, 'k', withRecovery('rerun')), 'lapsed')
      assert.equal(await claimKind(store, 'k', withRecovery('reconcile')), 'claimed')
    },
  },
  {
    name: 'of 50 takeovers at once, one wins',
    async run({ store }) {
      await bringTo('unknown', store, 'k', withRecovery('rerun'))
      const kinds = await Promise.all(
        Array.from({ length: 50 }, () => claimKind(store, 'k', withRecovery('rerun'))),
      )
      assert.equal(kinds.filter((kind) => kind === 'claimed').length, 1)
      assert.equal(kinds.filter((kind) => kind === 'running').length, 49)
    },
  },
  {
    name: 'a clean release makes the key free, even for another request',
    async run({ store }) {
      const lease = await mustClaim(store, 'k')
      assert.equal(await store.release(lease, { clean: true }), 'written')
      const next = await mustClaim(store, 'k', { fingerprint: otherFingerprint })
      assert.equal(next.attempt, 2)
      assert.equal(next.from, undefined)
      assert.equal(await claimKind(store, 'k'), 'mismatch')
    },
  },
  {
    name: 'a clean release after a takeover leaves the first attempt in doubt',
    async run({ store }) {
      await bringTo('unknown', store, 'k', withRecovery('rerun'))
      const second = await mustClaim(store, 'k', withRecovery('rerun'))
      assert.equal(await store.release(second, { clean: true }), 'written')
      assert.equal(await claimKind(store, 'k', { fingerprint: otherFingerprint }), 'mismatch')
      assert.equal(await claimKind(store, 'k'), 'lapsed')
      const third = await mustClaim(store, 'k', withRecovery('rerun'))
      assert.equal(third.attempt, 3)
      assert.deepEqual(third.from, { of: 'released' })
    },
  },
  {
    name: 'a record in doubt becomes the truth when its late owner completes',
    async run({ store }) {
      const lease = await bringTo('unknown', store, 'k', withRecovery('rerun'))
      assert.equal(await claimKind(store, 'k'), 'lapsed')
      await mustComplete(store, lease, answered(kept('the truth')))
      await assertReplay(store, 'k', kept('the truth'))
    },
  },
  {
    name: 'a record in doubt that was taken over shuts its late owner out',
    async run({ store }) {
      const late = await bringTo('unknown', store, 'k', withRecovery('rerun'))
      const owner = await mustClaim(store, 'k', withRecovery('rerun'))
      await assertShutOut(store, late)
      await mustComplete(store, owner, answered(kept('of the second')))
      await assertReplay(store, 'k', kept('of the second'))
    },
  },
]

export const abandonCases: readonly StoreCase[] = [
  {
    name: 'a claim that was abandoned leaves the key free, and its owner shut out',
    async run({ store }) {
      const lease = await mustClaim(store, 'k')
      await store.abandon('k', lease.owner)
      const next = await mustClaim(store, 'k', { fingerprint: otherFingerprint })
      assert(next.token > lease.token)
      assert.equal(next.from, undefined)
      await assertShutOut(store, lease)
    },
  },
  {
    name: 'a takeover that was abandoned leaves the first attempt in doubt',
    async run({ store, pass }) {
      await mustClaim(store, 'k', { leaseMs: shortLeaseMs, ...withRecovery('rerun') })
      await pass(pastShortLeaseMs)
      const second = await mustClaim(store, 'k', withRecovery('rerun'))
      await store.abandon('k', second.owner)
      assert.equal(await claimKind(store, 'k'), 'lapsed')
      assert.equal(await claimKind(store, 'k', { fingerprint: otherFingerprint }), 'mismatch')
      assert.equal(await claimKind(store, 'k', withRecovery('rerun')), 'claimed')
    },
  },
  {
    name: 'nobody but the owner abandons a claim',
    async run({ store }) {
      await mustClaim(store, 'k')
      await store.abandon('k', 'somebody else')
      assert.equal(await claimKind(store, 'k'), 'running')
    },
  },
  {
    name: 'a completed record is not abandoned',
    async run({ store }) {
      const lease = await mustClaim(store, 'k')
      await mustComplete(store, lease, answered(kept('answer')))
      await store.abandon('k', lease.owner)
      await assertReplay(store, 'k', kept('answer'))
    },
  },
  {
    name: 'a claim that arrives after it was abandoned can be abandoned again',
    async run({ store }) {
      const request = requestFor('k')
      await store.abandon('k', request.owner)
      assert.equal((await store.claim(request)).kind, 'claimed')
      await store.abandon('k', request.owner)
      assert.equal(await claimKind(store, 'k', { fingerprint: otherFingerprint }), 'claimed')
    },
  },
]
