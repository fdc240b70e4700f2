import { Redis } from 'ioredis'
import { expect, test } from 'vitest'
import type { CheckoutSite } from './site.ts'

/** Redis forgets every record while a process stands still in the middle of its work. */
export function forgetCase(name: string, redis: string, open: () => Promise<CheckoutSite>): void {
  test(`Redis forgets in the middle, and ${name} remembers: one of each effect`, async () => {
    const site = await open()
    const control = new Redis(redis)
    const customer = 4_001
    // The order is committed, and the receipt is about to be sent.
    const stalled = await site.start('rerun', { stopAtAnswer: 6 })
    const first = stalled.order(customer)
    await Promise.race([stalled.stopped(), first])
    expect(await site.effects(customer)).toEqual([1, 1, 0])

    await control.flushall()
    const survivor = await site.start('rerun')
    const answer = await survivor.orderUntilSettled(customer)
    expect(answer).toMatchObject({ status: 201 })
    expect(await site.effects(customer)).toEqual([1, 1, 1])
    stalled.signal('SIGCONT')
    expect(await first).toMatchObject({ status: 409, body: expect.stringContaining('outcome-unknown') })
    expect(await site.effects(customer)).toEqual([1, 1, 1])
    expect(await survivor.order(customer)).toEqual({ ...answer, replayed: true })
    control.disconnect()
    await site.close()
  }, 60_000)
}
