/**
 * A length of time: a number of milliseconds, or a decimal number with a unit (`ms`, `s`, `m`, `h`, `d`),
 * such as `250`, `'1.5s'`, `'30s'` or `'24h'`. A day is 24 hours.
 */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/**
 * Reads a duration as whole milliseconds, rounding a fraction of a millisecond.
 *
 * Returns undefined for what is not a duration: negative, not finite, without a known unit, in exponent
 * notation, with spaces, or more milliseconds than a number holds exactly. Zero is a duration.
 *
 * @example
 * parseDuration('1.5s') // 1500
 * parseDuration('soon') // undefined
 */
export function parseDuration(value: unknown): number | undefined {
  const milliseconds = typeof value === 'string' ? parseText(value) : value
  if (typeof milliseconds !== 'number' || !(milliseconds >= 0)) return undefined
  const rounded = Math.round(milliseconds)
  if (!Number.isSafeInteger(rounded)) return undefined
  return rounded === 0 ? 0 : rounded
}

const millisecondsPerUnit = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

function parseText(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(text)
  const perUnit = millisecondsPerUnit.get(match?.[2] ?? '')
  return perUnit === undefined ? undefined : Number(match?.[1]) * perUnit
}
