// The recipes of docs/recipes.md for ORMs, each joining a transaction of its own library.
import { expect, test } from 'vitest'
import { finished, leaseOf, mustOpen, rejection } from '../../src/testing/journal/kit.ts'
import type { Place } from './server-cases.ts'

/** One library on one database. */
export interface Recipe {
  /**
   * Runs `work` in a transaction of the library's, which ends as `work` does.
   * `insert` writes an effect by the library's own means.
   */
  transaction(work: (within: unknown, insert: () => Promise<unknown>) => Promise<void>): Promise<void>
  /** The library's handle outside of any transaction. */
  readonly idle: unknown
  close(): Promise<void>
}

export function recipeCases(
  library: string,
  newPlace: () => Promise<Place>,
  open: (place: Place) => Recipe,
): void {
  test.concurrent(`${library}: a step joins its transaction`, async () => {
    const place = await newPlace()
    const { journal, close } = place.connect()
    const recipe = open(place)
    const lease = leaseOf('k', 1)
    await mustOpen(journal, lease)
    const step = (name: string, within: unknown, insert: () => Promise<unknown>) =>
      journal.transact({
        step: { lease, name },
        within,
        work: async () => {
          await insert()
          return finished(name).result
        },
      })

    await recipe.transaction(async (within, insert) => {
      // A savepoint, and the step.
      const counted = countStatements(within)
      expect(await step('kept', counted, insert)).toBe('written')
      expect(counted.statements).toBe(2)
    })
    const undone = recipe.transaction(async (within, insert) => {
      expect(await step('undone', within, insert)).toBe('written')
      throw new Error('no')
    })
    await expect(undone).rejects.toThrow('no')
    await recipe.transaction(async (within, insert) => {
      const failing = step('failed', within, async () => {
        await insert()
        throw new Error('not this one')
      })
      expect(await rejection(failing)).toMatchObject({ message: 'not this one' })
    })
    expect(await place.effects()).toBe(1)
    const never = async () => expect.unreachable()
    await expect(step('idle', recipe.idle, never)).rejects.toMatchObject({ code: 'transaction-unavailable' })

    const late = leaseOf('k', 2)
    expect(await mustOpen(journal, late)).toEqual([finished('kept')])
    await recipe.transaction(async (within, insert) => {
      expect(await step('stale', within, insert)).toBe('stale')
    })
    expect(await place.effects()).toBe(1)

    await recipe.close()
    await close()
    await place.destroy()
  })
}

/** `within`, and how many statements the journal sent by it. The library's own go another way. */
function countStatements(within: unknown) {
  // Whatever a recipe returns has it: docs/recipes.md says so.
  const { query } = within as { query(text: string, values?: unknown[]): Promise<unknown> }
  const counted = {
    statements: 0,
    query: (text: string, values?: unknown[]) => {
      counted.statements += 1
      return query(text, values)
    },
  }
  return counted
}
