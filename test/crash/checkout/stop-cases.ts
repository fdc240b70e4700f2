import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { CheckoutProcess, CheckoutSite } from './site.ts'

/** At which answer of the database, after the charge, a process stands still. */
export interface StopPoints {
  /** The order is inserted, in a transaction that goes on. */
  readonly inFunction: number
  /** The step is written too, and the transaction holds its share of the head. */
  readonly behindFence: number
}

/** A process stands still inside `transaction`, past its lease; another takes over, and the first one wakes up. */
export function stopCases(name: string, open: () => Promise<CheckoutSite>, points: StopPoints): void {
  describe(`a checkout that stands still on ${name}`, { timeout: 60_000 }, () => {
    let site: CheckoutSite
    let survivor: CheckoutProcess
    beforeAll(async () => {
      site = await open()
      survivor = await site.start('rerun')
    })
    afterAll(() => site.close())

    test.concurrent.each([
      ['inside the function of a transaction', points.inFunction, 3_001],
      ['between the last statement of a transaction and COMMIT', points.behindFence, 3_002],
    ])(
      '%s: nobody waits for it, and it rolls back when it wakes up',
      async (_where, stopAtAnswer, customer) => {
        const stalled = await site.start('rerun', { stopAtAnswer })
        const first = stalled.order(customer)
        await Promise.race([stalled.stopped(), first])
        expect(await site.effects(customer)).toEqual([1, 0, 0])

        const answer = await survivor.orderUntilSettled(customer)
        expect(stalled.isStopped()).toBe(true)
        expect(answer).toMatchObject({ status: 201, replayed: false })
        expect(await site.effects(customer)).toEqual([1, 1, 1])

        stalled.signal('SIGCONT')
        expect(await first).toMatchObject({ status: 409, body: expect.stringContaining('outcome-unknown') })
        expect(await site.effects(customer)).toEqual([1, 1, 1])
        expect(await survivor.order(customer)).toEqual({ ...answer, replayed: true })
        // It lives on, with connections that work.
        expect(await stalled.order(customer + 10)).toMatchObject({ status: 201 })
        expect(await site.effects(customer + 10)).toEqual([1, 1, 1])
      },
    )
  })
}
