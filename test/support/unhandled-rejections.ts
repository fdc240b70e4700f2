import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import { reactions } from './clock.ts'

/** Makes each test of the file fail that leaves a rejected promise behind which nobody handles. */
export function forbidUnhandledRejections(): void {
  const reasons: unknown[] = []
  const listener = (reason: unknown) => void reasons.push(reason)

  beforeAll(() => void process.on('unhandledRejection', listener))
  afterAll(() => void process.off('unhandledRejection', listener))
  afterEach(async () => {
    await reactions()
    expect(reasons.splice(0)).toEqual([])
  })
}
