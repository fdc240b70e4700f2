import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { ExpiryHeap, type Expiring } from '../../../src/stores/memory/expiry-heap.ts'

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('add' as const), expiresAtMs: fc.nat(50) }),
    fc.record({ kind: fc.constant('move' as const), which: fc.nat(), expiresAtMs: fc.nat(50) }),
    fc.record({ kind: fc.constant('remove' as const), which: fc.nat() }),
  ),
  { maxLength: 200 },
)

test('the entry that expires first is on top, whatever is added, moved and removed', () => {
  fc.assert(
    fc.property(steps, (script) => {
      const heap = new ExpiryHeap<Expiring>()
      const entries: Expiring[] = []
      for (const step of script) {
        const entry = step.kind === 'add' ? undefined : entries[step.which % entries.length]
        if (step.kind === 'add') {
          const added = { expiresAtMs: step.expiresAtMs, heapIndex: -1 }
          entries.push(added)
          heap.add(added)
        } else if (entry !== undefined && step.kind === 'move') {
          entry.expiresAtMs = step.expiresAtMs
          heap.moved(entry)
        } else if (entry !== undefined) {
          entries.splice(entries.indexOf(entry), 1)
          heap.remove(entry)
        }
        const first = entries.length === 0 ? undefined : Math.min(...entries.map((item) => item.expiresAtMs))
        expect(heap.first()?.expiresAtMs).toBe(first)
      }
    }),
    { numRuns: 300 },
  )
})
