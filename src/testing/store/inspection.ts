import assert from 'node:assert/strict'
import type { InspectQuery, InspectState, Inspection } from '../../core/store.ts'
import { assertShutOut } from './fencing.ts'
import {
  answered,
  assertReplay,
  assertSameResponse,
  bringTo,
  claimKind,
  inspectionOf,
  kept,
  mustClaim,
  mustComplete,
  otherFingerprint,
  pastShortLeaseMs,
  policy,
  requestFor,
  type Situation,
  situations,
} from './kit.ts'
import type { StoreCase } from './subject.ts'

const states: Record<Situation, InspectState> = {
  running: 'running',
  lapsed: 'lapsed',
  completed: 'completed',
  failed: 'completed',
  unknown: 'unknown',
  'released uncleanly': 'released',
}

const settleable: readonly Situation[] = ['lapsed', 'failed', 'unknown', 'released uncleanly']

const inspectionRules: readonly StoreCase[] = [
  {
    name: 'get tells a record as it is, and nothing of a key that is new',
    async run({ store, pass }) {
      const inspection = inspectionOf(store)
      const label = { key: 'the key', scope: 'the scope' }
      for (const situation of situations) await bringTo(situation, store, situation, { label })
      await pass(pastShortLeaseMs)
      for (const situation of situations) {
        const found = await inspection.get(situation)
        assert(found !== undefined && found.state !== 'unreadable')
        assert.equal(found.id, situation)
        assert.equal(found.state, states[situation])
        assert.equal(found.record.id, situation)
        assert.equal(found.record.attempt, 1)
        assert.deepEqual(found.record.label, label)
        assert.deepEqual(found.record.policy, policy)
      }
      assert.equal(await inspection.get('new'), undefined)
    },
  },
  {
    name: 'get and list give the answer of a completed record',
    async run({ store }) {
      const inspection = inspectionOf(store)
      await bringTo('completed', store, 'k')
      const found = await inspection.get('k')
      const [listed] = (await inspection.list({ limit: 1 })).records
      for (const item of [found, listed]) {
        assert(item !== undefined && item.state !== 'unreadable' && item.record.state === 'completed')
        assertSameResponse(item.record.response, kept('k'))
      }
    },
  },
  {
    name: 'list filters by state',
    async run({ store, pass }) {
      const inspection = inspectionOf(store)
      for (const situation of situations) await bringTo(situation, store, situation)
      await pass(pastShortLeaseMs)
      const idsOf = async (query: readonly InspectState[]) =>
        (await allOf(inspection, { states: query, limit: 2 })).toSorted()
      assert.deepEqual(await idsOf(['running']), ['running'])
      assert.deepEqual(await idsOf(['lapsed']), ['lapsed'])
      assert.deepEqual(await idsOf(['completed']), ['completed', 'failed'])
      assert.deepEqual(await idsOf(['unknown', 'released']), ['released uncleanly', 'unknown'])
      assert.deepEqual(await idsOf(['unreadable']), [])
      assert.deepEqual(await idsOf([]), [])
      assert.deepEqual(
        await allOf(inspection, { limit: 100 }).then((ids) => ids.toSorted()),
        situations.toSorted(),
      )
    },
  },
  {
    name: 'pages neither skip nor repeat a record, while others come and go',
    async run({ store }) {
      const inspection = inspectionOf(store)
      const ids = Array.from({ length: 20 }, (_, index) => `k${index}`)
      for (const id of ids) await mustClaim(store, id)
      const gone = new Set(['k3', 'k10', 'k16'])
      let turn = 0
      const seen = await allOf(inspection, { limit: 3 }, async () => {
        turn += 1
        await mustClaim(store, `new${turn}`)
        if (turn === 1) await Promise.all([...gone].map((id) => inspection.forget(id)))
        if (turn === 2) await store.claim(requestFor('k5'))
      })
      assert.equal(new Set(seen).size, seen.length, `a record was listed twice: ${seen.join(' ')}`)
      const missing = ids.filter((id) => !gone.has(id) && !seen.includes(id))
      assert.deepEqual(missing, [])
    },
  },
  {
    name: 'expired records are neither listed nor found',
    async run({ store, pass }) {
      const inspection = inspectionOf(store)
      const lease = await mustClaim(store, 'k', { policy: { ...policy, retainMs: 30 } })
      await mustComplete(store, lease, answered(kept('x')))
      await pass(60)
      assert.equal(await inspection.get('k'), undefined)
      assert.deepEqual((await inspection.list({ limit: 10 })).records, [])
      assert.equal(await inspection.settle('k', { kind: 'release' }), 'absent')
      assert.equal(await inspection.forget('k'), false)
    },
  },
  {
    name: 'a forgotten key is new, and its token rises all the same',
    async run({ store }) {
      const inspection = inspectionOf(store)
      let last = 0
      for (let round = 0; round < 20; round += 1) {
        const lease = await mustClaim(store, 'k', { fingerprint: `b1:${round}` })
        assert.equal(lease.attempt, 1)
        assert(lease.token > last, `token ${lease.token} after ${last}`)
        last = lease.token
        assert.equal(await inspection.forget('k'), true)
      }
      assert.equal(await inspection.forget('k'), false)
    },
  },
  {
    name: 'a record in doubt can be settled as released, under a new token',
    async run({ store, pass }) {
      const inspection = inspectionOf(store)
      const leases = []
      for (const situation of settleable) leases.push(await bringTo(situation, store, situation))
      await pass(pastShortLeaseMs)
      for (const lease of leases) {
        assert.equal(await inspection.settle(lease.id, { kind: 'release' }), 'settled', lease.id)
        await assertShutOut(store, lease)
        const next = await mustClaim(store, lease.id, { fingerprint: otherFingerprint })
        assert(next.token > lease.token)
        assert.equal(next.from, undefined)
      }
    },
  },
  {
    name: 'a record in doubt can be settled with an answer, and its late owner is shut out',
    async run({ store, pass }) {
      const inspection = inspectionOf(store)
      const leases = []
      for (const situation of settleable) leases.push(await bringTo(situation, store, situation))
      await pass(pastShortLeaseMs)
      for (const lease of leases) {
        const response = kept(`settled ${lease.id}`)
        assert.equal(await inspection.settle(lease.id, { kind: 'response', response }), 'settled', lease.id)
        await assertShutOut(store, lease)
        await assertReplay(store, lease.id, response)
        assert.equal(await inspection.settle(lease.id, { kind: 'release' }), 'completed')
        assert.equal(await claimKind(store, lease.id, { fingerprint: otherFingerprint }), 'mismatch')
      }
    },
  },
  {
    name: 'what runs, what is done and what is not there is not settled',
    async run({ store }) {
      const inspection = inspectionOf(store)
      const running = await bringTo('running', store, 'running')
      await bringTo('completed', store, 'completed')
      const resolution = { kind: 'response', response: kept('settled') } as const
      assert.equal(await inspection.settle('running', resolution), 'running')
      assert.equal(await inspection.settle('completed', resolution), 'completed')
      assert.equal(await inspection.settle('new', resolution), 'absent')
      assert.deepEqual(await store.renew([running]), ['renewed'])
      await assertReplay(store, 'completed', kept('completed'))
      assert.equal(await claimKind(store, 'new'), 'claimed')
    },
  },
]

export const inspectionCases = inspectionRules.map((rule): StoreCase => ({ ...rule, needs: ['inspect'] }))

/** The ids on all pages, in their order. */
async function allOf(
  inspection: Inspection,
  query: InspectQuery,
  betweenPages: () => Promise<void> = async () => {},
): Promise<string[]> {
  const ids: string[] = []
  let cursor: string | undefined
  do {
    const page = await inspection.list({ ...query, ...(cursor !== undefined && { cursor }) })
    ids.push(...page.records.map(({ id }) => id))
    cursor = page.cursor
    if (cursor !== undefined) await betweenPages()
  } while (cursor !== undefined)
  return ids
}
