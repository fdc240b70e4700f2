import assert from 'node:assert/strict'
import { isIdempotencyError } from '../../core/errors.ts'
import { answered, assertReplay, inspectionOf, kept, mustClaim, mustComplete, requestFor } from './kit.ts'
import type { StoreCase } from './subject.ts'

export const closingCases: readonly StoreCase[] = [
  {
    name: 'a store that is closed refuses every verb, and may be closed again',
    async run({ store }) {
      const lease = await mustClaim(store, 'k')
      await Promise.all([store.close(), store.close()])
      await store.close()
      await assertClosed(() => store.claim(requestFor('k')))
      await assertClosed(() => store.renew([lease]))
      await assertClosed(() => store.complete(lease, answered(kept('x'))))
      await assertClosed(() => store.release(lease, { clean: true }))
      await assertClosed(() => store.abandon('k', lease.owner))
      if (store.watch !== undefined) await assertClosed(() => store.watch?.('k', () => {}))
      if (store.inspect === undefined) return
      const inspection = inspectionOf(store)
      await assertClosed(() => inspection.list({ limit: 1 }))
      await assertClosed(() => inspection.get('k'))
      await assertClosed(() => inspection.forget('k'))
      await assertClosed(() => inspection.settle('k', { kind: 'release' }))
    },
  },
  {
    name: 'closing one connection leaves the other and the records as they are',
    needs: ['shared'],
    async run({ store, connect }) {
      const other = await connect()
      const lease = await mustClaim(other, 'k')
      await mustComplete(other, lease, answered(kept('answer')))
      await other.close()
      await assertReplay(store, 'k', kept('answer'))
      await assertReplay(await connect(), 'k', kept('answer'))
    },
  },
]

async function assertClosed(verb: () => Promise<unknown> | undefined): Promise<void> {
  await assert.rejects(
    async () => verb(),
    (error) => isIdempotencyError(error) && error.code === 'store-closed',
  )
}
