import { describe, expect, test } from 'vitest'
import { Deadline, DeadlineExceeded } from '../../src/core/deadline.ts'
import { reactions, VirtualTime } from '../support/clock.ts'
import { collectGarbage } from '../support/garbage.ts'
import { forbidUnhandledRejections } from '../support/unhandled-rejections.ts'

forbidUnhandledRejections()

function createDeadline(limitMs = 1_000) {
  const time = new VirtualTime()
  const clock = time.clock()
  return { time, clock, deadline: new Deadline(clock, limitMs) }
}

const never = () => new Promise<never>(() => {})

describe('Deadline', () => {
  test('settles as the operation does', async () => {
    const { deadline } = createDeadline()
    expect(await deadline.bound(Promise.resolve(7))).toBe(7)
    const error = { not: 'an Error' }
    await expect(deadline.bound(Promise.reject(error))).rejects.toBe(error)
  })

  test('expires each operation at its own time, in order, with one timer', async () => {
    const { time, clock, deadline } = createDeadline()
    const ended: string[] = []
    for (const name of ['first', 'second', 'third']) {
      deadline.bound(never()).catch((error: unknown) => {
        expect(error).toBeInstanceOf(DeadlineExceeded)
        ended.push(`${name} at ${time.nowMs - 1_000}`)
      })
      expect(clock.timers).toBe(1)
      await time.advance(300)
    }
    await time.advance(2_000)
    expect(ended).toEqual(['first at 1000', 'second at 1300', 'third at 1600'])
    expect(clock.timers).toBe(0)
  })

  test('says what it waited for', async () => {
    const { time, deadline } = createDeadline(250)
    const bound = expect(deadline.bound(never())).rejects.toThrow('The store did not answer within 250 ms.')
    await time.advance(250)
    await bound
  })

  test('expires 10,000 operations that hang among others that do not', async () => {
    const { time, clock, deadline } = createDeadline()
    let expired = 0
    let ended = 0
    for (let index = 0; index < 20_000; index += 1) {
      const operation = index % 2 === 0 ? never() : Promise.resolve()
      deadline.bound(operation).then(
        () => (ended += 1),
        () => (expired += 1),
      )
    }
    await time.advance(999)
    expect([ended, expired]).toEqual([10_000, 0])
    await time.advance(1)
    expect([ended, expired]).toEqual([10_000, 10_000])
    expect(clock.timers).toBe(0)
  })

  test('ignores what an operation does after its time, be it a rejection', async () => {
    const { time, deadline } = createDeadline()
    let resolve: (value: string) => void = () => {}
    let reject: (error: Error) => void = () => {}
    const results = [
      deadline.bound(new Promise((yes) => (resolve = yes))),
      deadline.bound(new Promise((_, no) => (reject = no))),
    ].map((bound) => bound.catch((error: Error) => error.name))
    await time.advance(1_000)
    resolve('late')
    reject(new Error('late'))
    await reactions()
    expect(await Promise.all(results)).toEqual(['DeadlineExceeded', 'DeadlineExceeded'])
    // Nor does it count against what comes after.
    expect(await deadline.bound(Promise.resolve('next'))).toBe('next')
  })

  test('a process that stood still expires what hung, and no more than that', async () => {
    const { time, clock, deadline } = createDeadline()
    const hung = deadline.bound(never()).catch(() => 'expired')
    clock.stalled = true
    await time.advance(60_000)
    clock.stalled = false
    const fresh = deadline.bound(Promise.resolve('fresh'))
    await time.advance(0)
    expect(await Promise.all([hung, fresh])).toEqual(['expired', 'fresh'])
  })

  test('keeps nothing of operations that ended, however long the limit', async () => {
    const { deadline } = createDeadline(3_600_000)
    void deadline.bound(never())
    await end(1_000)
    collectGarbage()
    const before = process.memoryUsage().heapUsed
    await end(200_000)
    collectGarbage()
    expect((process.memoryUsage().heapUsed - before) / 1024 / 1024).toBeLessThan(4)

    async function end(operations: number): Promise<void> {
      for (let index = 0; index < operations; index += 1) await deadline.bound(Promise.resolve())
    }
  })
})
