import assert from 'node:assert/strict'
import {
  answered,
  assertReplay,
  claimKind,
  inspectionOf,
  kept,
  mustClaim,
  mustComplete,
  requestFor,
} from './kit.ts'
import type { StoreCase } from './subject.ts'

/** No two are the same text, and each has been one key with another, or an error, in some store. */
const hostile: readonly string[] = [
  'k',
  'K',
  'k ',
  ' k',
  'k\0',
  'k\0k',
  '\0',
  '',
  '"k"',
  '"\\u0000"',
  'null',
  '0',
  '0x6b',
  '1e1',
  '10',
  "'; DROP TABLE hapax_record; --",
  '$1 ? :id @id',
  '*',
  'k*',
  '?',
  '[k]',
  '{k}',
  '{a}{b}',
  'a:b',
  'a/../b',
  '%00',
  'k\n',
  'k\r\nSET x 1\r\n',
  'k\\',
  'é',
  'e\u0301',
  'ß',
  'SS',
  'İ',
  'i',
  '\u202ek',
  '\u200bk',
  '\ufeffk',
  '💳',
  '\ud83d',
  '\ud83e',
  '\udcb3',
  '\ufffd',
  '__proto__',
  'constructor',
  'toString',
  'x'.repeat(20_000),
  `${'x'.repeat(20_000)}y`,
]

export const hostileCases: readonly StoreCase[] = [
  {
    name: 'ids that look alike, or like something else, are keys of their own',
    async run({ store }) {
      const leases = await Promise.all(hostile.map((id) => mustClaim(store, id)))
      await Promise.all(
        leases.map((lease, index) => mustComplete(store, lease, answered(kept(`answer ${index}`)))),
      )
      await Promise.all(hostile.map((id, index) => assertReplay(store, id, kept(`answer ${index}`))))
    },
  },
  {
    name: 'owners that look alike are different owners',
    async run({ store }) {
      for (const [index, owner] of hostile.entries()) {
        const id = `k${index}`
        const lease = await mustClaim(store, id, { owner })
        const others = hostile.filter((other) => other !== owner)
        await Promise.all(others.map((other) => store.abandon(id, other)))
        assert.equal(await claimKind(store, id), 'running', JSON.stringify(owner))
        const again = await store.claim({ ...requestFor(id), owner })
        assert(again.kind === 'claimed' && again.token === lease.token, JSON.stringify(owner))
      }
    },
  },
  {
    name: 'labels come back as they were',
    needs: ['inspect'],
    async run({ store }) {
      const inspection = inspectionOf(store)
      for (const [index, key] of hostile.entries()) {
        const label = { key, scope: hostile[(index + 1) % hostile.length] ?? '' }
        await mustClaim(store, `k${index}`, { label })
        const found = await inspection.get(`k${index}`)
        assert(found !== undefined && found.state !== 'unreadable')
        assert.deepEqual(found.record.label, label)
      }
    },
  },
  {
    name: 'ids come back from inspect as they were, and can be forgotten',
    needs: ['inspect'],
    async run({ store }) {
      const inspection = inspectionOf(store)
      await Promise.all(hostile.map((id) => mustClaim(store, id)))
      const page = await inspection.list({ limit: 1_000 })
      assert.deepEqual(page.records.map(({ id }) => id).toSorted(), hostile.toSorted())
      for (const id of hostile) assert.equal(await inspection.forget(id), true, JSON.stringify(id))
      assert.deepEqual((await inspection.list({ limit: 1_000 })).records, [])
    },
  },
]
