import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Answer, CheckoutProcess, CheckoutSite } from './site.ts'

export interface KillOptions {
  /** Every how many points a process is ended: 1 for all of them. */
  readonly everyPoints: { readonly rerun: number; readonly refuse: number }
  readonly timeoutMs: number
}

const calls = ['store.claim begins', 'store.complete ended', 'database was asked', 'services answered']

const leaseLost = 'could not be renewed in time'

/** Few enough for two cores, and enough to use the time that leases take to end. */
const atOnce = 4

/** Ends a checkout at its calls in turn, and sends the request to another process until it has an answer. */
export function killCases(
  name: string,
  open: () => Promise<CheckoutSite>,
  { everyPoints, timeoutMs }: KillOptions,
): void {
  describe(`the checkout on ${name}`, { timeout: timeoutMs }, () => {
    let site: CheckoutSite
    let customers = 1_000
    const newCustomer = () => (customers += 1)
    let found: Promise<string[]> | undefined
    const points = (): Promise<string[]> => (found ??= findPoints())
    beforeAll(async () => {
      site = await open()
    })
    afterAll(() => site.close())

    test('makes at least 40 calls that can be found', async () => {
      const names = await points()
      expect(names.length).toBeGreaterThanOrEqual(40)
      for (const call of calls) expect(names).toContain(call)
    })

    test('rerun: ended at any call, one charge, one order, one receipt, one answer', async () => {
      const survivor = await site.start('rerun')
      await endAtEach('rerun', everyPoints.rerun, async (customer, passed) => {
        const answer = await survivor.orderUntilSettled(customer)
        const where = `ended at ${passed.length}: ${passed.at(-1)}`
        expect(answer, where).toMatchObject({ status: 201 })
        expect(await site.effects(customer), where).toEqual([1, 1, 1])
        expect(await survivor.order(customer), where).toEqual({ ...answer, replayed: true })
      })
    })

    test('refuse: never a second effect, and unknown only where nobody can know', async () => {
      const survivor = await site.start('refuse')
      await endAtEach('refuse', everyPoints.refuse, async (customer, passed) => {
        const answer = await survivor.orderUntilSettled(customer)
        const where = `ended at ${passed.length}: ${passed.at(-1)}`
        const effects = await site.effects(customer)
        for (const times of effects) expect(times, where).toBeLessThanOrEqual(1)
        if (answer.status === 201) expect(effects, where).toEqual([1, 1, 1])
        else
          expect(answer, where).toMatchObject({
            status: 409,
            body: expect.stringContaining('outcome-unknown'),
          })
        expect(expectedStatuses(passed), where).toContain(answer.status)
        expect(await survivor.order(customer), where).toMatchObject({
          status: answer.status,
          body: answer.body,
        })
      })
    })

    async function findPoints(): Promise<string[]> {
      const whole = await site.start('rerun', {})
      expect(await whole.order(newCustomer())).toMatchObject({ status: 201 })
      await whole.kill()
      return whole.points()
    }

    async function endAtEach(
      recovery: 'rerun' | 'refuse',
      every: number,
      judge: (customer: number, points: string[]) => Promise<void>,
    ): Promise<void> {
      const total = (await points()).length
      const chosen = Array.from({ length: total }, (_, index) => index + 1).filter(
        (point) => point % every === 1 % every,
      )
      const next = chosen.values()
      const work = async () => {
        for (const killAt of next) {
          const customer = newCustomer()
          const doomed = await site.start(recovery, { killAt })
          const answer = await orderOrEnd(doomed, customer)
          // A run may have fewer calls than the first one had: packets come together or apart. On a busy machine one may
          // also lose its lease.
          if (answer !== undefined && answer.status !== 201) expect(answer.body).toContain(leaseLost)
          await judge(customer, doomed.points())
        }
      }
      await Promise.all(Array.from({ length: atOnce }, work))
    }
  })
}

/** Undefined: the process ended before the answer. */
async function orderOrEnd(doomed: CheckoutProcess, customer: number): Promise<Answer | undefined> {
  try {
    return await doomed.order(customer)
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  } finally {
    await doomed.kill()
  }
}

/** What a route that refuses may answer after a process that reached these points. */
function expectedStatuses(points: readonly string[]): number[] {
  const reached = (point: string) => points.includes(point)
  if (reached('store.complete ended')) return [201]
  // The store was asked, and nobody heard what it said.
  if (reached('store.complete begins')) return reached('redis was asked') ? [201, 409] : [409]
  if (reached('store.claim ended')) return [409]
  return reached('redis was asked') ? [201, 409] : [201]
}
