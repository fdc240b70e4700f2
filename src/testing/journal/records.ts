import assert from 'node:assert/strict'
import type { StepRecord } from '../../core/record.ts'
import { begun, finished, leaseOf, mustOpen, mustRecord } from './kit.ts'
import type { JournalCase } from './subject.ts'

export const recordCases: readonly JournalCase[] = [
  {
    name: 'steps come back as they were written, whatever is in them',
    async run({ journal }) {
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      const texts = ['“☕”', 'a', 'A', 'a ', 'a\u00a0', ' a', "'; --", '\\', '"', '%_', '😀'.repeat(200)]
      const steps: StepRecord[] = texts.map((name) => ({ ...finished(name), input: `v1:${name.length}` }))
      steps.push(finished('nul', 'a\u0000b\ud800'), finished('large', '☕'.repeat(20_000)))
      steps.push({ state: 'finished', name: 'nothing', result: { kind: 'nothing' } })
      steps.push({ state: 'finished', name: 'not kept', result: { kind: 'not-kept' } })
      await mustRecord(journal, lease, ...steps)
      assert.deepEqual(await mustOpen(journal, leaseOf('k', 2)), steps)
    },
  },
  {
    name: 'keys do not mix, however much they look alike',
    async run({ journal }) {
      const ids = ['k', 'K', 'k ', ' k', 'ķ', '"k"', 'k\u0000', 'k%']
      for (const id of ids) {
        const lease = leaseOf(id, 1)
        assert.deepEqual(await mustOpen(journal, lease), [], id)
        await mustRecord(journal, lease, finished(`of ${id.length}`, id))
      }
      for (const id of ids) {
        assert.deepEqual(await mustOpen(journal, leaseOf(id, 2)), [finished(`of ${id.length}`, id)], id)
      }
    },
  },
  {
    name: 'a step that was undone is as good as never begun',
    async run({ journal }) {
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      await mustRecord(journal, lease, begun('a'), begun('b'))
      assert.equal(await journal.recordStep(lease, { state: 'undone', name: 'a' }), 'written')
      assert.deepEqual(await mustOpen(journal, leaseOf('k', 2)), [begun('b')])
    },
  },
  {
    name: 'the same written twice is written',
    async run({ journal }) {
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      await mustRecord(journal, lease, finished('a'), finished('a'))
      assert.equal(await journal.recordStep(lease, { state: 'undone', name: 'never' }), 'written')
    },
  },
  {
    name: 'a stale token adds no step, changes none and undoes none',
    async run({ journal }) {
      const late = leaseOf('k', 1)
      await mustOpen(journal, late)
      await mustRecord(journal, late, begun('a'))
      const lease = leaseOf('k', 2)
      await mustOpen(journal, lease)
      assert.equal(await journal.recordStep(late, finished('a')), 'stale')
      assert.equal(await journal.recordStep(late, begun('b')), 'stale')
      assert.equal(await journal.recordStep(late, { state: 'undone', name: 'a' }), 'stale')
      assert.deepEqual(await mustOpen(journal, lease), [begun('a')])
    },
  },
  {
    name: 'a lease that never opened the journal writes nothing',
    async run({ journal }) {
      assert.equal(await journal.recordStep(leaseOf('k', 1), finished('a')), 'stale')
      assert.deepEqual(await mustOpen(journal, leaseOf('k', 1)), [])
    },
  },
  {
    name: 'steps of two processes at once are all kept',
    async run({ journal, connect }) {
      const other = await connect()
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      const names = Array.from({ length: 20 }, (_, index) => `step ${index}`)
      await Promise.all(
        names.map((name, index) => mustRecord(index % 2 === 0 ? journal : other, lease, finished(name))),
      )
      const found = await mustOpen(journal, leaseOf('k', 2))
      assert.deepEqual(found.map(({ name }) => name).toSorted(), names.toSorted())
    },
  },
]
