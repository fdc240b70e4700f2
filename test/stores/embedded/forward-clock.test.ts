import { expect, test } from 'vitest'
import { ForwardClock } from '../../../src/stores/embedded/forward-clock.ts'
import { ManualClock } from '../manual-clock.ts'

// Found by the simulation, seed 83546: a dead owner's key stayed in progress for longer by the step.
test('a step back that nobody saw between two calls takes no time away', () => {
  const source = new ManualClock()
  const clock = new ForwardClock(source)
  const before = clock.now()
  source.advance(500)
  source.jump(-422)
  source.advance(100)
  expect(clock.now() - before).toBe(600)
})

// Seed 178730: the wall clock passed the time of the last call, and was believed to have caught up.
test('after a step back, a long time without a call does not bring the wall clock back', () => {
  const source = new ManualClock()
  const clock = new ForwardClock(source)
  const before = clock.now()
  source.jump(-6_000)
  source.advance(1_000)
  expect(clock.now() - before).toBe(1_000)
  source.advance(7_000)
  expect(clock.now() - before).toBe(8_000)
})

test('after a step back, time goes on until the wall clock has caught up', () => {
  const source = new ManualClock()
  const clock = new ForwardClock(source)
  const before = clock.now()
  source.advance(1_000)
  source.jump(-300)
  expect(clock.now() - before).toBe(1_000)
  source.advance(50)
  expect(clock.now() - before).toBe(1_050)
  source.jump(400)
  expect(clock.now() - before).toBe(1_150)
})

test('a wall clock that is slowed down a little is followed, or the store would run ahead for ever', () => {
  const source = new ManualClock()
  const clock = new ForwardClock(source)
  const before = clock.now()
  source.advance(10_000)
  source.jump(-5)
  expect(clock.now() - before).toBe(9_995)
})

test('a wall clock that was wrong before the first call is not followed back', () => {
  const source = new ManualClock()
  const clock = new ForwardClock(source)
  source.jump(-86_400_000)
  expect(clock.now()).toBe(source.now())
})
