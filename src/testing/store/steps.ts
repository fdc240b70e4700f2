import assert from 'node:assert/strict'
import type { StepRecord } from '../../core/record.ts'
import type { HeldLease, Store } from '../../core/store.ts'
import {
  answered,
  assertReplay,
  claimKind,
  failed,
  inspectionOf,
  kept,
  mustClaim,
  mustComplete,
  otherFingerprint,
  pastShortLeaseMs,
  requestFor,
  shortLeaseMs,
  unknown,
  withRecovery,
} from './kit.ts'
import type { StoreCase } from './subject.ts'

const begun: StepRecord = { state: 'begun', name: 'charge', safe: false }
const charged: StepRecord = {
  state: 'finished',
  name: 'charge',
  input: 'v1:input',
  result: { kind: 'json', json: '{"id":"ch_1","note":"“☕” \\u0000"}' },
}
const mailed: StepRecord = { state: 'finished', name: 'mail: ☕', result: { kind: 'nothing' } }

export const stepCases: readonly StoreCase[] = [
  {
    name: 'a takeover is given the steps in the order in which they began, each as it was written last',
    async run({ store, pass }) {
      const lease = await mustClaim(store, 'k', { leaseMs: shortLeaseMs, ...withRecovery('rerun') })
      await mustRecord(store, lease, begun, { ...begun, name: 'mail: ☕', safe: true }, charged, mailed)
      await pass(pastShortLeaseMs)
      assert.deepEqual(await stepsOnClaim(store, 'k'), [charged, mailed])
    },
  },
  {
    name: 'steps outlive a release that is not clean, a failure and an unknown outcome, attempt after attempt',
    async run({ store }) {
      const ends = {
        released: (lease: HeldLease) => store.release(lease, { clean: false }),
        failed: (lease: HeldLease) => store.complete(lease, failed(kept('broken', { status: 500 }))),
        unknown: (lease: HeldLease) => store.complete(lease, unknown),
      }
      for (const [id, end] of Object.entries(ends)) {
        const policy = withRecovery('reconcile')
        const first = await mustClaim(store, id, policy)
        await mustRecord(store, first, charged)
        assert.equal(await end(first), 'written')
        const second = await store.claim(requestFor(id, policy))
        assert(second.kind === 'claimed', id)
        assert.deepEqual(second.steps, [charged], id)
        const lease: HeldLease = { ...requestFor(id, policy), ...second, takeover: true }
        await mustRecord(store, lease, mailed)
        assert.equal(await end(lease), 'written')
        assert.deepEqual(await stepsOnClaim(store, id, 'reconcile'), [charged, mailed], id)
      }
    },
  },
  {
    name: 'a claim that is sent again gets the steps too',
    async run({ store }) {
      const request = requestFor('k')
      const first = await store.claim(request)
      assert(first.kind === 'claimed')
      assert.equal(first.steps, undefined)
      await mustRecord(store, { ...request, ...first, takeover: false }, charged)
      const again = await store.claim(request)
      assert(again.kind === 'claimed')
      assert.deepEqual(again.steps, [charged])
    },
  },
  {
    name: 'a step that was undone is as good as never begun',
    async run({ store }) {
      const lease = await mustClaim(store, 'k')
      await mustRecord(store, lease, begun)
      assert.equal(await store.recordStep(lease, { state: 'undone', name: 'charge' }), 'written')
      assert.equal(await store.release(lease, { clean: true }), 'written')
      // Even for another request.
      const next = await store.claim(requestFor('k', { fingerprint: otherFingerprint }))
      assert(next.kind === 'claimed')
      assert.equal(next.steps, undefined)
    },
  },
  {
    name: 'a key with steps is never released as if nothing had happened',
    async run({ store }) {
      const lease = await mustClaim(store, 'k')
      await mustRecord(store, lease, charged)
      assert.equal(await store.release(lease, { clean: true }), 'written')
      assert.equal(await claimKind(store, 'k', { fingerprint: otherFingerprint }), 'mismatch')
      assert.equal(await claimKind(store, 'k'), 'lapsed')
    },
  },
  {
    name: 'a good outcome needs no steps any more',
    needs: ['inspect'],
    async run({ store }) {
      const lease = await mustClaim(store, 'k')
      await mustRecord(store, lease, charged)
      await mustComplete(store, lease, answered(kept('done')))
      await assertReplay(store, 'k', kept('done'))
      const found = await inspectionOf(store).get('k')
      assert(found?.state === 'completed')
      assert.equal(found.record.fingerprint === null ? undefined : found.record.steps, undefined)
    },
  },
  {
    name: 'a stale token adds no step, and neither does a run that has ended',
    async run({ store, pass }) {
      const policy = withRecovery('rerun')
      const late = await mustClaim(store, 'k', { leaseMs: shortLeaseMs, ...policy })
      await pass(pastShortLeaseMs)
      const lease = await mustClaim(store, 'k', policy)
      assert.equal(await store.recordStep(late, charged), 'stale')
      await mustRecord(store, lease, mailed)
      assert.equal(await store.release(lease, { clean: false }), 'written')
      assert.equal(await store.recordStep(lease, charged), 'stale')
      assert.deepEqual(await stepsOnClaim(store, 'k'), [mailed])

      const done = await mustClaim(store, 'done')
      await mustComplete(store, done, answered(kept('done')))
      assert.equal(await store.recordStep(done, charged), 'stale')
    },
  },
  {
    name: 'an owner that nobody replaced records steps after the end of its lease',
    async run({ store, pass }) {
      const lease = await mustClaim(store, 'k', { leaseMs: shortLeaseMs, ...withRecovery('rerun') })
      await pass(pastShortLeaseMs)
      await mustRecord(store, lease, charged)
      assert.deepEqual(await stepsOnClaim(store, 'k'), [charged])
    },
  },
  {
    name: 'a record that was forgotten is asserted again by a step, and renewals keep its steps',
    needs: ['inspect'],
    async run({ store }) {
      const lease = await mustClaim(store, 'k', withRecovery('rerun'))
      assert(await inspectionOf(store).forget('k'))
      await mustRecord(store, lease, charged)
      assert.equal(await claimKind(store, 'k'), 'running')
      assert.deepEqual(await store.renew([lease]), ['renewed'])
      assert.equal(await store.release(lease, { clean: false }), 'written')
      assert.deepEqual(await stepsOnClaim(store, 'k'), [charged])
    },
  },
  {
    name: 'an operator who releases a key lets it begin anew, without steps',
    needs: ['inspect'],
    async run({ store }) {
      const lease = await mustClaim(store, 'k', withRecovery('rerun'))
      await mustRecord(store, lease, charged)
      await mustComplete(store, lease, unknown)
      assert.equal(await inspectionOf(store).settle('k', { kind: 'release' }), 'settled')
      assert.equal(await stepsOnClaim(store, 'k'), undefined)
    },
  },
  {
    name: 'steps of two processes at once are all kept',
    needs: ['shared'],
    async run({ store, connect }) {
      const lease = await mustClaim(store, 'k', withRecovery('rerun'))
      const other = await connect()
      const steps = Array.from({ length: 20 }, (_, index): StepRecord => ({ ...charged, name: `s${index}` }))
      await Promise.all(steps.map((step, index) => (index % 2 === 0 ? store : other).recordStep(lease, step)))
      assert.equal(await store.release(lease, { clean: false }), 'written')
      const found = await stepsOnClaim(store, 'k')
      assert.deepEqual(found?.map(({ name }) => name).toSorted(), steps.map(({ name }) => name).toSorted())
    },
  },
]

async function mustRecord(store: Store, lease: HeldLease, ...steps: readonly StepRecord[]): Promise<void> {
  for (const step of steps) assert.equal(await store.recordStep(lease, step), 'written')
}

/** Takes the key over, and returns what is remembered. */
async function stepsOnClaim(
  store: Store,
  id: string,
  recovery: 'rerun' | 'reconcile' = 'rerun',
): Promise<readonly StepRecord[] | undefined> {
  const result = await store.claim(requestFor(id, withRecovery(recovery)))
  assert(result.kind === 'claimed', `${id} is ${result.kind}`)
  return result.steps
}
