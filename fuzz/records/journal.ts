import assert from 'node:assert/strict'
import type { Journal, JournalOpening } from '../../src/core/journal.ts'
import type { StepRecord } from '../../src/core/record.ts'
import type { HeldLease } from '../../src/core/store.ts'
import { requestFor } from '../../src/testing/store/kit.ts'
import type { OpenTarget, Verdict } from '../target.ts'

/** A journal, and a way to its tables behind its back. */
export interface JournalPlace {
  readonly journal: Journal
  /** False where the database's own rules do not take that. */
  damage(id: string, damage: Buffer): Promise<boolean>
  stepsThere(id: string): Promise<number>
  /** Whether its head says that it is over: then its steps are deleted. */
  isOver(id: string): Promise<boolean>
  forget(id: string): Promise<void>
  close(): Promise<void>
}

const keepMs = 24 * 3_600_000
const steps: readonly StepRecord[] = [
  { state: 'begun', name: 'charge', safe: false },
  { state: 'finished', name: 'mail', input: 'x', result: { kind: 'json', json: '{"id":17}' } },
]

export async function openJournal(
  place: JournalPlace,
  corpus: ReadonlyArray<string | Uint8Array>,
): Promise<OpenTarget> {
  const { journal } = place
  let records = 0
  await remember(journal, leaseOf('neighbour', 1))
  return {
    corpus,
    async run(input): Promise<Verdict> {
      records += 1
      const id = `r${records}`
      await remember(journal, leaseOf(id, 1))
      const isTaken = await place.damage(id, input)
      if (isTaken) await assertHonest(place, id)
      await place.forget(id)
      const neighbour = await journal.open(leaseOf('neighbour', records + 1), keepMs)
      assert.deepEqual(neighbour, { kind: 'opened', steps }, 'the steps of another record were changed')
      return isTaken ? undefined : 'refused'
    },
    close: () => place.close(),
  }
}

/** A handler may run only where every step that is there was handed over. */
async function assertHonest(place: JournalPlace, id: string): Promise<void> {
  const isOver = await place.isOver(id)
  const there = await place.stepsThere(id)
  const opening = await openOrRefuse(place.journal, leaseOf(id, 2))
  if (opening?.kind === 'opened' && !isOver) {
    assert.equal(opening.steps.length, there, 'a step that was remembered is forgotten')
  }
}

/** An opening that rejects is answered 503, and nothing runs. */
async function openOrRefuse(journal: Journal, lease: HeldLease): Promise<JournalOpening | undefined> {
  try {
    return await journal.open(lease, keepMs)
  } catch (error) {
    assert(error instanceof Error && error.message !== '')
    return undefined
  }
}

async function remember(journal: Journal, lease: HeldLease): Promise<void> {
  assert.deepEqual(await journal.open(lease, keepMs), { kind: 'opened', steps: [] })
  for (const step of steps) assert.equal(await journal.recordStep(lease, step), 'written')
}

function leaseOf(id: string, token: number): HeldLease {
  return { ...requestFor(id), token, attempt: token, takeover: token > 1 }
}
