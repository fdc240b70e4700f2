import { expect, test } from 'vitest'
import { judge } from '../../soak/verdict.ts'

const allowed = { share: 0.05, absolute: 1_000 }

test('what stays where it is is flat, however it warmed up and whatever one sample says', () => {
  const warmingUp = Array.from({ length: 20 }, (_, index) => index * 10_000)
  const steady = Array.from({ length: 20 }, (_, index) => 200_000 + (index % 2) * 3_000)
  expect(judge({ name: 'heap', values: [...warmingUp, ...steady], allowed })).toMatchObject({ isFlat: true })
  expect(judge({ name: 'heap', values: [...warmingUp, ...steady.with(4, 260_000)], allowed }).isFlat).toBe(
    true,
  )
})

test('what grows, by a leak at every sample, is not', () => {
  const leaking = Array.from({ length: 40 }, (_, index) => 200_000 + index * 2_000 + (index % 2) * 3_000)
  const { isFlat, rise, mean } = judge({ name: 'heap', values: leaking, allowed })
  expect(isFlat).toBe(false)
  expect(rise).toBeCloseTo(38_000, -4)
  expect(mean).toBeCloseTo(260_000, -4)
})

test('what shrinks is flat', () => {
  const shrinking = Array.from({ length: 40 }, (_, index) => 200_000 - index * 2_000)
  expect(judge({ name: 'heap', values: shrinking, allowed }).isFlat).toBe(true)
})

test('too few samples are no verdict', () => {
  expect(() => judge({ name: 'heap', values: [1, 2, 3], allowed })).toThrow(/let it run longer/)
})
