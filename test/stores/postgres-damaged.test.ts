// Rows that the table's own rules take, and that no release has written.
import { randomUUID } from 'node:crypto'
import { afterAll, expect, test } from 'vitest'
import { startPostgres } from '../../scripts/services/index.ts'
import type { HeldLease, Store } from '../../src/core/store.ts'
import { postgresStore } from '../../src/stores/postgres.ts'
import { answered, kept, mustClaim, requestFor, withRecovery } from '../../src/testing/store/kit.ts'
import { placeOf } from '../support/postgres-places.ts'
import { servers } from '../support/servers.ts'

const server = await servers(() => startPostgres())
if (server !== undefined) {
  afterAll(() => server.stop())
  const { pool, schema } = placeOf(server.url)
  const store = postgresStore(pool, { schema, silence: ['postgres-forgets'] })
  afterAll(() => store.close())

  async function damage(id: string, assignments: string): Promise<void> {
    const { rowCount } = await pool.query(
      `UPDATE "${schema}".hapax_record SET ${assignments} WHERE id = $1`,
      [id],
    )
    if (rowCount !== 1) throw new Error('There is no such record.')
  }

  test.each([
    ['steps that are no JSON', `step_texts = '{x,y}'`, /damaged/],
    ['steps of no known kind', `step_texts = '{"[]","[]"}'`, /steps/],
    ['steps that are not there', `step_texts = '{NULL,NULL}'`, /step_texts/],
    ['a token that no later one is above', 'token = 9223372036854775807', /token/],
    ['a token whose successor is no exact number', 'token = 9007199254740991', /token/],
  ])('%s: a run is never granted', async (_, assignments, reason) => {
    const { id } = await releasedWithSteps(store)
    await damage(id, assignments)
    for (let time = 0; time < 2; time += 1) {
      const result = await store.claim(requestFor(id, { ...withRecovery('rerun'), leaseMs: 1 }))
      expect(result).toMatchObject({ kind: 'unreadable', reason: expect.stringMatching(reason) })
    }
  })

  test.each([
    ['no number', `retain_unknown_ms = 'NaN'`],
    ['more than an interval holds', 'retain_unknown_ms = 1e300'],
    ['less than an interval holds', 'retain_unknown_ms = -1e300'],
  ])('a retention that is %s does not keep other leases from being renewed', async (_, assignments) => {
    const id = randomUUID()
    const damaged = await mustClaim(store, id)
    const other = await mustClaim(store, `${id} beside`)
    await damage(id, assignments)
    expect((await store.renew([damaged, other]))[1]).toBe('renewed')
    // The true outcome is worth more than what stood there.
    expect(await store.complete(damaged, answered(kept('x')))).toBe('written')
  })

  test('the largest token that can be read can be followed by one more', async () => {
    const { id } = await releasedWithSteps(store)
    await damage(id, 'token = 9007199254740990')
    expect(await store.inspect?.get(id)).toMatchObject({ state: 'released' })
    expect(await store.claim(requestFor(id, withRecovery('rerun')))).toMatchObject({
      kind: 'claimed',
      token: 9_007_199_254_740_991,
    })
    expect(await store.inspect?.get(id)).toMatchObject({ state: 'unreadable' })
    expect(await store.claim(requestFor(id, withRecovery('rerun')))).toMatchObject({ kind: 'unreadable' })
  })

  test('the last number of an attempt that the column holds may be exceeded', async () => {
    const { id } = await releasedWithSteps(store)
    await damage(id, 'attempt = 2147483647')
    expect(await store.claim(requestFor(id, withRecovery('rerun')))).toMatchObject({ kind: 'claimed' })
  })

  test('a record that was over for ever is absent for claims and operators alike', async () => {
    const { id } = await releasedWithSteps(store)
    await damage(id, `expires_at = '-infinity'`)
    expect(await store.inspect?.get(id)).toBeUndefined()
    expect(await store.claim(requestFor(id))).toMatchObject({ kind: 'claimed', attempt: 1 })
  })
}

async function releasedWithSteps(store: Store): Promise<HeldLease> {
  const lease = await mustClaim(store, randomUUID(), withRecovery('rerun'))
  await store.recordStep(lease, { state: 'begun', name: 'charge', safe: true })
  await store.recordStep(lease, { state: 'finished', name: 'mail', result: { kind: 'nothing' } })
  await store.release(lease, { clean: false })
  return lease
}
