import assert from 'node:assert/strict'
import { assertShutOut } from './fencing.ts'
import {
  bringTo,
  claimKind,
  inspectionOf,
  kept,
  mustClaim,
  otherFingerprint,
  requestFor,
  type Situation,
  withRecovery,
} from './kit.ts'
import type { StoreCase, StoreKit } from './subject.ts'

const touched: readonly Situation[] = ['running', 'completed', 'unknown']

export const unreadableCases: readonly StoreCase[] = [
  ...casesOf('corrupt', 'damaged'),
  ...casesOf('makeNewer', 'of a newer format'),
]

function casesOf(tamper: 'corrupt' | 'makeNewer', what: string): readonly StoreCase[] {
  return [
    {
      name: `a record that is ${what} is never run as new, nor written over`,
      needs: [tamper],
      async run(kit) {
        for (const situation of touched) await assertUntouchable(kit, tamper, situation)
      },
    },
    {
      name: `a record that is ${what} is listed, not settled, and can be forgotten`,
      needs: [tamper, 'inspect'],
      async run(kit) {
        const { store } = kit
        const inspection = inspectionOf(store)
        await mustClaim(store, 'good')
        await bringTo('completed', store, 'bad')
        await kit[tamper]('bad')

        const found = await inspection.get('bad')
        assert(found?.state === 'unreadable' && found.reason !== '')
        assert.deepEqual(await inspection.list({ states: ['unreadable'], limit: 10 }), { records: [found] })
        const all = await inspection.list({ limit: 10 })
        assert.deepEqual(all.records.map(({ id }) => id).toSorted(), ['bad', 'good'])
        const readable = await inspection.list({ states: ['completed', 'running'], limit: 10 })
        assert.deepEqual(
          readable.records.map(({ id }) => id),
          ['good'],
        )

        assert.equal(await inspection.settle('bad', { kind: 'release' }), 'unreadable')
        assert.equal(await inspection.settle('bad', { kind: 'response', response: kept('x') }), 'unreadable')
        assert.equal(await inspection.forget('bad'), true)
        assert.equal(await inspection.get('bad'), undefined)
        const next = await mustClaim(store, 'bad', { fingerprint: otherFingerprint })
        assert.equal(next.attempt, 1)
      },
    },
  ]
}

async function assertUntouchable(
  kit: StoreKit,
  tamper: 'corrupt' | 'makeNewer',
  situation: Situation,
): Promise<void> {
  const { store } = kit
  const lease = await bringTo(situation, store, situation, withRecovery('rerun'))
  await kit[tamper](situation)
  const result = await store.claim(requestFor(situation, withRecovery('rerun')))
  assert(result.kind === 'unreadable' && result.reason !== '')
  await assertShutOut(store, lease)
  await store.abandon(situation, lease.owner)
  assert.equal(await claimKind(store, situation, { owner: lease.owner }), 'unreadable')
  assert.equal(await claimKind(store, situation, { fingerprint: otherFingerprint }), 'unreadable')
  // One record that can't be read does not spoil a batch.
  const other = await mustClaim(store, `beside ${situation}`)
  assert.deepEqual(await store.renew([lease, other]), ['stale', 'renewed'])
}
