import { expect, test } from 'vitest'
import { type Duration, parseDuration } from '../../src/protocol/duration.ts'

test.each<[Duration, number]>([
  [250, 250],
  [0, 0],
  [1.4, 1],
  [1.5, 2],
  ['250ms', 250],
  ['30s', 30_000],
  ['1.5s', 1500],
  ['4.35s', 4350],
  ['15m', 900_000],
  ['24h', 86_400_000],
  ['30d', 2_592_000_000],
  ['0.5d', 43_200_000],
  ['0.0004s', 0],
  ['0s', 0],
  ['007s', 7000],
])('reads %j as %i milliseconds', (value, milliseconds) => {
  expect(parseDuration(value)).toBe(milliseconds)
})

test('has no negative zero', () => {
  expect(Object.is(parseDuration(-0), 0)).toBe(true)
})

test.each([
  -1,
  -0.2,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.MAX_VALUE,
  '',
  '30',
  's',
  '30 s',
  ' 30s',
  '30s ',
  '30s\n',
  '-1s',
  '+1s',
  '1e3s',
  '0x10s',
  '.5s',
  '1.s',
  '1.2.3s',
  '1m30s',
  '30S',
  '1w',
  '1y',
  '1sec',
  '1constructor',
  'Infinitys',
  'NaNs',
  '99999999999999999d',
  `${'9'.repeat(400)}ms`,
  undefined,
  null,
  true,
  10n,
  ['30s'],
  new Date(0),
  new Number(5),
])('refuses %s', (value) => {
  expect(parseDuration(value)).toBeUndefined()
})
