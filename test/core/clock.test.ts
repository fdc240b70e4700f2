import { describe, expect, test, vi } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'

describe('systemClock', () => {
  test('fires once, after the delay', async () => {
    const beganMs = systemClock.monotonic()
    let fired = 0
    await new Promise<void>((resolve) => {
      systemClock.setTimer(() => {
        fired += 1
        resolve()
      }, 20)
      setTimeout(resolve, 2_000)
    })
    expect(fired).toBe(1)
    expect(systemClock.monotonic() - beganMs).toBeGreaterThanOrEqual(18)
  })

  test('a cancelled timer does not fire', async () => {
    let fired = false
    systemClock.setTimer(() => (fired = true), 1).cancel()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(fired).toBe(false)
  })

  test.each([2 ** 31, 30 * 24 * 3_600_000, Number.POSITIVE_INFINITY])(
    'a delay of %d ms is not taken for none, as setTimeout does',
    async (delayMs) => {
      let fired = false
      const timer = systemClock.setTimer(() => (fired = true), delayMs)
      await new Promise((resolve) => setTimeout(resolve, 20))
      timer.cancel()
      expect(fired).toBe(false)
    },
  )

  test('a delay that is longer than setTimeout knows is kept to the millisecond', () => {
    vi.useFakeTimers()
    try {
      let fired = 0
      const delayMs = 2 * 2 ** 31 + 5
      systemClock.setTimer(() => (fired += 1), delayMs)
      const cancelled = systemClock.setTimer(() => (fired += 10), delayMs)
      vi.advanceTimersByTime(delayMs - 1)
      expect(fired).toBe(0)
      cancelled.cancel()
      vi.advanceTimersByTime(1)
      expect(fired).toBe(1)
    } finally {
      vi.useRealTimers()
    }
  })

  test('tells the time', () => {
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1_000)
    const before = systemClock.monotonic()
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before)
  })
})
