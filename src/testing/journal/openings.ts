import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { fingerprint, incomparableFingerprint, otherFingerprint } from '../store/kit.ts'
import { begun, finished, keepMs, leaseOf, mustOpen, mustRecord } from './kit.ts'
import type { JournalCase } from './subject.ts'

const shortKeepMs = 1_000

export const openingCases: readonly JournalCase[] = [
  {
    name: 'a key that is new has no steps, and neither has one that was opened in vain',
    async run({ journal }) {
      assert.deepEqual(await mustOpen(journal, leaseOf('k', 1)), [])
      assert.deepEqual(await mustOpen(journal, leaseOf('k', 2)), [])
    },
  },
  {
    name: 'a later attempt is given what earlier ones left, in the order in which the steps began',
    async run({ journal, connect }) {
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      await mustRecord(journal, lease, begun('b'), begun('a', true), finished('b'))
      assert.deepEqual(await mustOpen(await connect(), leaseOf('k', 2)), [finished('b'), begun('a', true)])
    },
  },
  {
    name: 'the same lease may open again',
    async run({ journal }) {
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      await mustRecord(journal, lease, begun('a'))
      assert.deepEqual(await mustOpen(journal, lease), [begun('a')])
      await mustRecord(journal, lease, finished('a'))
    },
  },
  {
    name: 'an earlier token is refused, and changes nothing',
    async run({ journal, connect }) {
      const lease = leaseOf('k', 2)
      await mustOpen(journal, lease)
      assert.deepEqual(await (await connect()).open(leaseOf('k', 1), shortKeepMs), { kind: 'stale' })
      await mustRecord(journal, lease, finished('a'))
    },
  },
  {
    name: 'another request is refused, and changes nothing',
    async run({ journal }) {
      const lease = leaseOf('k', 1)
      await mustOpen(journal, lease)
      const other = leaseOf('k', 2, { fingerprint: otherFingerprint })
      assert.deepEqual(await journal.open(other, keepMs), { kind: 'mismatch' })
      const incomparable = leaseOf('k', 2, { fingerprint: incomparableFingerprint })
      assert.deepEqual(await journal.open(incomparable, keepMs), { kind: 'incomparable' })
      await mustRecord(journal, lease, finished('a'))
    },
  },
  {
    name: 'requests are the same if one digest of a kind that both have is',
    async run({ journal }) {
      const [bytes = '', value = ''] = fingerprint.split(' ')
      await mustOpen(journal, leaseOf('k', 1))
      await mustOpen(journal, leaseOf('k', 2, { fingerprint: value }))
      await mustOpen(journal, leaseOf('k', 3, { fingerprint: `b1:spelt-differently ${value}` }))
      const part = leaseOf('k', 4, { fingerprint: bytes.slice(0, -1) })
      assert.deepEqual(await journal.open(part, keepMs), { kind: 'mismatch' })
    },
  },
  {
    name: 'past its time a key goes on with the same request, and begins anew with another',
    async run({ journal, connect }) {
      const first = leaseOf('k', 1)
      await mustOpen(journal, first, shortKeepMs)
      await mustRecord(journal, first, finished('a'), begun('b'))
      await sleep(shortKeepMs + 50)
      assert.deepEqual(await mustOpen(journal, leaseOf('k', 2), shortKeepMs), [finished('a'), begun('b')])
      await sleep(shortKeepMs + 50)
      const other = leaseOf('k', 3, { fingerprint: otherFingerprint })
      assert.deepEqual(await mustOpen(await connect(), other), [])
      assert.deepEqual(await mustOpen(journal, { ...other, token: other.token + 1 }), [])
      assert.equal(await journal.recordStep(first, finished('b')), 'stale')
      assert.deepEqual(await journal.open(leaseOf('k', 5), keepMs), { kind: 'mismatch' })
    },
  },
  {
    name: 'what is to be kept longer is not kept shorter by a later attempt',
    async run({ journal }) {
      await mustOpen(journal, leaseOf('k', 1))
      await mustOpen(journal, leaseOf('k', 2), 1)
      await sleep(20)
      const other = leaseOf('k', 3, { fingerprint: otherFingerprint })
      assert.deepEqual(await journal.open(other, keepMs), { kind: 'mismatch' })
    },
  },
  {
    name: 'of many that open at once, the last token stands',
    async run({ journal, connect }) {
      const other = await connect()
      const attempts = Array.from({ length: 10 }, (_, index) => index + 1)
      const openings = await Promise.all(
        attempts.map((attempt) => (attempt % 2 === 0 ? journal : other).open(leaseOf('k', attempt), keepMs)),
      )
      assert.equal(openings[9]?.kind, 'opened')
      assert.equal(await journal.recordStep(leaseOf('k', 9), finished('a')), 'stale')
      await mustRecord(other, leaseOf('k', 10), finished('a'))
    },
  },
]
