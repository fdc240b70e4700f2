import { progress } from './progress.ts'

/**
 * Measures each of `cells` once in every round, one after the other, so that a machine whose speed drifts slows all of
 * them alike. Samples stand in the order of the rounds: ratios are taken within one.
 */
export async function roundsOf<C extends { readonly name: string }, S>(
  rounds: number,
  cells: readonly C[],
  measure: (cell: C) => Promise<S>,
): Promise<Map<C, S[]>> {
  const samples = new Map<C, S[]>(cells.map((cell) => [cell, []]))
  for (let round = 1; round <= rounds; round += 1) {
    for (const cell of cells) {
      progress(`round ${round} of ${rounds}: ${cell.name}`)
      const sample = await measure(cell)
      samples.get(cell)?.push(sample)
    }
  }
  progress('')
  return samples
}
