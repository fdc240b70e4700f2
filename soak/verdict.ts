/** How one figure of a server went over time. */
export interface Course {
  readonly name: string
  readonly values: readonly number[]
  /** What it may rise by in the second half: the larger of the two. */
  readonly allowed: { readonly share: number; readonly absolute: number }
}

export interface Verdict {
  readonly name: string
  readonly isFlat: boolean
  /** By how much a straight line through the second half rises from its beginning to its end. */
  readonly rise: number
  readonly mean: number
}

const fewest = 6

/**
 * Whether a figure stays where it is: the first half warms up, and is left out. A line by least squares goes through the
 * second half; one high or low sample hardly turns it.
 *
 * @throws RangeError for fewer samples than a line means something for.
 */
export function judge({ name, values, allowed }: Course): Verdict {
  const half = values.slice(Math.floor(values.length / 2))
  if (half.length < fewest) {
    throw new RangeError(`Half of the ${values.length} samples are too few: let it run longer.`)
  }
  const mean = half.reduce((sum, value) => sum + value, 0) / half.length
  const middle = (half.length - 1) / 2
  let [above, below] = [0, 0]
  for (const [index, value] of half.entries()) {
    above += (index - middle) * (value - mean)
    below += (index - middle) ** 2
  }
  const rise = (above / below) * (half.length - 1)
  return { name, rise, mean, isFlat: rise <= Math.max(allowed.share * mean, allowed.absolute) }
}
