import assert from 'node:assert/strict'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { isIdempotencyError } from '../../core/errors.ts'
import { assertCode, finished, leaseOf, mustOpen, mustRecord, rejection, next, transact } from './kit.ts'
import type { JournalCase } from './subject.ts'

class Refused extends Error {}

function refuse(): never {
  throw new Refused('no')
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}

export const transactionCases: readonly JournalCase[] = [
  {
    name: 'commits the effect and the memory of it together',
    async run(kit) {
      const { journal, effects } = kit
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      assert.equal(await transact(kit, journal, lease, 'order'), 'written')
      assert.equal(await effects('order'), 1)
      assert.deepEqual(await mustOpen(journal, leaseOf('k', 2)), [finished('order')])
    },
  },
  {
    name: 'keeps the input, and results of every kind',
    async run({ journal }) {
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      const step = { lease, name: 'a', input: 'v1:x' }
      await journal.transact({ step, work: () => ({ kind: 'nothing' }) })
      assert.deepEqual(await mustOpen(journal, lease), [
        { state: 'finished', name: 'a', input: 'v1:x', result: { kind: 'nothing' } },
      ])
    },
  },
  {
    name: 'rolls both back where the function throws, with the error of the function',
    async run(kit) {
      const { journal, effects } = kit
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      assert((await rejection(transact(kit, journal, lease, 'order', { after: refuse }))) instanceof Refused)
      assert.equal(await effects('order'), 0)
      assert.deepEqual(await mustOpen(journal, leaseOf('k', 2)), [])
    },
  },
  {
    name: 'rolls back under a token that is stale',
    async run(kit) {
      const { journal, connect, effects } = kit
      const late = leaseOf('k', 1)
      await mustOpen(journal, late)
      await mustOpen(await connect(), leaseOf('k', 2))
      assert.equal(await transact(kit, journal, late, 'order'), 'stale')
      assert.equal(await effects('order'), 0)
      assert.deepEqual(await mustOpen(journal, leaseOf('k', 3)), [])
    },
  },
  {
    name: 'is only a transaction where there is no step',
    async run({ journal, addEffect, effects }) {
      const work = (transaction: unknown) =>
        next(addEffect(transaction, 'plain'), () => ({ kind: 'nothing' as const }))
      assert.equal(await journal.transact({ work }), 'written')
      const failing = (transaction: unknown) => next(addEffect(transaction, 'plain'), refuse)
      assert((await rejection(journal.transact({ work: failing }))) instanceof Refused)
      assert.equal(await effects('plain'), 1)
    },
  },
  {
    name: 'many transactions of many keys all commit',
    async run(kit) {
      const { journal, connect, effects } = kit
      const other = await connect()
      const leases = Array.from({ length: 20 }, (_, index) => leaseOf(`key ${index}`, 1))
      await Promise.all(leases.map((lease) => mustOpen(journal, lease)))
      const written = await Promise.all(
        leases.map((lease, index) => transact(kit, index % 2 === 0 ? journal : other, lease, lease.id)),
      )
      assert.deepEqual(new Set(written), new Set(['written']))
      for (const { id } of leases) assert.equal(await effects(id), 1)
    },
  },
  {
    name: 'an opening does not wait for a transaction under way, which then rolls back',
    needs: 'concurrent',
    async run(kit) {
      const { journal, connect, effects } = kit
      const late = leaseOf('k', 1)
      await mustOpen(journal, late)
      const gate = new AbortController()
      const reached = new AbortController()
      const after = async () => {
        reached.abort()
        await aborted(gate.signal)
      }
      const running = transact(kit, journal, late, 'order', { after })
      await aborted(reached.signal)
      const lease = leaseOf('k', 2)
      assert.deepEqual(await mustOpen(await connect(), lease), [])
      gate.abort()
      assert.equal(await running, 'stale')
      assert.equal(await effects('order'), 0)
      assert.equal(await transact(kit, journal, lease, 'order'), 'written')
      assert.equal(await effects('order'), 1)
    },
  },
  {
    name: 'transactions of one lease do not wait for each other',
    needs: 'concurrent',
    async run(kit) {
      const { journal, effects } = kit
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      const names = ['a', 'b', 'c', 'd']
      const arrived: string[] = []
      // Each waits until all have come so far.
      const meet = async (name: string) => {
        arrived.push(name)
        while (arrived.length < names.length) await sleep(1)
      }
      await Promise.all(names.map((name) => transact(kit, journal, lease, name, { after: () => meet(name) })))
      for (const name of names) assert.equal(await effects(name), 1)
    },
  },
]

export const withinCases: readonly JournalCase[] = [
  {
    name: 'a step in a transaction of the application commits and rolls back with it',
    async run(kit) {
      const { journal, begin, effects } = kit
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      const undone = await begin()
      assert.equal(await transact(kit, journal, lease, 'undone', { within: undone.within }), 'written')
      await undone.rollBack()
      const kept = await begin()
      assert.equal(await transact(kit, journal, lease, 'kept', { within: kept.within }), 'written')
      await kept.commit()
      assert.equal(await effects('undone'), 0)
      assert.equal(await effects('kept'), 1)
      assert.deepEqual(await mustOpen(journal, leaseOf('k', 2)), [finished('kept')])
    },
  },
  {
    name: 'two steps may follow each other in one transaction',
    async run(kit) {
      const { journal, begin, effects } = kit
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      const { within, commit } = await begin()
      await transact(kit, journal, lease, 'a', { within })
      await transact(kit, journal, lease, 'b', { within })
      await commit()
      assert.equal(await effects('a'), 1)
      assert.deepEqual(await mustOpen(journal, leaseOf('k', 2)), [finished('a'), finished('b')])
    },
  },
  {
    name: 'a step that throws leaves nothing of itself, even where the application commits',
    async run(kit) {
      const { journal, begin, addEffect, effects } = kit
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      const { within, commit } = await begin()
      await addEffect(within, 'before')
      const failing = transact(kit, journal, lease, 'order', { within, after: refuse })
      assert((await rejection(failing)) instanceof Refused)
      await commit()
      assert.equal(await effects('before'), 1)
      assert.equal(await effects('order'), 0)
      assert.deepEqual(await mustOpen(journal, leaseOf('k', 2)), [])
    },
  },
  {
    name: 'a stale step leaves nothing of itself, even where the application commits',
    async run(kit) {
      const { journal, begin, effects } = kit
      const late = leaseOf('k', 1)
      await mustOpen(journal, late)
      await mustOpen(journal, leaseOf('k', 2))
      const { within, commit } = await begin()
      assert.equal(await transact(kit, journal, late, 'order', { within }), 'stale')
      await commit()
      assert.equal(await effects('order'), 0)
    },
  },
  {
    name: 'what is in no transaction is refused before the function runs',
    async run(kit) {
      const { journal, idle, effects } = kit
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      const { within, rollBack } = await idle()
      const refused = await rejection(transact(kit, journal, lease, 'order', { within }))
      assert(isIdempotencyError(refused) && refused.code === 'transaction-unavailable')
      assert.match(
        refused.message,
        /"order".* is not in a transaction\. Begin one and give its own connection/,
      )
      await rollBack()
      await assertCode(transact(kit, journal, lease, 'order', { within: {} }), 'invalid-option')
      assert.equal(await effects('order'), 0)
      assert.deepEqual(await mustOpen(journal, lease), [])
    },
  },
  {
    name: 'two steps at once in one transaction are refused',
    needs: 'concurrent',
    async run(kit) {
      const { journal, begin, effects } = kit
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      const { within, commit } = await begin()
      const [first, second] = await Promise.allSettled([
        transact(kit, journal, lease, 'a', { within }),
        transact(kit, journal, lease, 'b', { within }),
      ])
      await commit()
      assert.equal(first?.status, 'fulfilled')
      assert(second?.status === 'rejected')
      await assertCode(Promise.reject(second.reason), 'invalid-step')
      assert.equal(await effects('a'), 1)
      assert.equal(await effects('b'), 0)
    },
  },
]

export const closingCases: readonly JournalCase[] = [
  {
    name: 'a journal that is closed does nothing more, and may be closed twice',
    async run(kit) {
      const { journal, connect, effects } = kit
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      await Promise.all([journal.close(), journal.close()])
      await assertCode(journal.open(lease, 1), 'store-closed')
      await assertCode(journal.recordStep(lease, finished('a')), 'store-closed')
      await assertCode(transact(kit, journal, lease, 'order'), 'store-closed')
      assert.equal(await effects('order'), 0)
      await mustRecord(await connect(), lease, finished('a'))
    },
  },
]
