import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import type { RecoveryMode } from '../../src/core/record.ts'
import type { ClaimRequest, ClaimResult, InspectedRecord, Store } from '../../src/core/store.ts'
import * as rules from '../../src/core/transitions.ts'
import {
  assertReplay,
  bringTo,
  inspectionOf,
  kept,
  mustClaim,
  requestFor,
  type Situation,
  situations,
} from '../../src/testing/store/kit.ts'
import type { OpenTarget, Verdict } from '../target.ts'

/** A store, and a way to its records behind its back. */
export interface Place {
  readonly store: Store
  /** False where the database's own rules do not take that. */
  damage(id: string, damage: Buffer): Promise<boolean>
  raw(id: string): Promise<unknown>
  /** Whether its bytes say that it is over, or that nothing happened in any attempt. Then a new run is what they say. */
  saysNew(id: string): Promise<boolean>
  /** True where the statement that grants a claim can't read all of a record: it is refused after that. */
  readonly readsLate: boolean
  /** The store's clock. */
  nowMs(): Promise<number>
  close(): Promise<void>
}

const recoveries: readonly RecoveryMode[] = ['refuse', 'reconcile', 'rerun']
const years = 30 * 365 * 24 * 3_600_000
const neighbour = kept('the neighbour')

/** The first byte of an input says what the record is before its damage. */
export async function openRecords(
  place: Place,
  corpus: ReadonlyArray<string | Uint8Array>,
): Promise<OpenTarget> {
  const { store } = place
  const beside = await mustClaim(store, 'neighbour', { policy: policyOf('refuse') })
  await store.complete(beside, { kind: 'response', failed: false, response: neighbour })
  const besideBytes = await place.raw('neighbour')
  let records = 0
  return {
    corpus,
    async run(input): Promise<Verdict> {
      records += 1
      const id = `r${records}`
      const lease = await prepare(store, id, input[0] ?? 0)
      if (!(await place.damage(id, input.subarray(1)))) {
        await inspectionOf(store).forget(id)
        return 'refused'
      }
      await assertHonest(place, lease)
      await inspectionOf(store).forget(id)
      assert.equal(await inspectionOf(store).get(id), undefined, 'a forgotten record is still there')
      await assertReplay(store, 'neighbour', neighbour)
      assert.deepEqual(await place.raw('neighbour'), besideBytes, 'another record was changed')
    },
    close: () => place.close(),
  }
}

/** Every situation under every policy, with steps or without. */
async function prepare(store: Store, id: string, choice: number) {
  const situation: Situation = situations[choice % situations.length] ?? 'running'
  const recovery = recoveries[Math.floor(choice / situations.length) % recoveries.length] ?? 'refuse'
  const changes = { policy: policyOf(recovery), label: { key: 'key', scope: 'scope' } }
  if (choice < 128) return bringTo(situation, store, id, changes)
  const lease = await mustClaim(store, id, changes)
  await store.recordStep(lease, { state: 'begun', name: 'charge', safe: false })
  const result = { kind: 'json', json: '{"id":17}' } as const
  await store.recordStep(lease, { state: 'finished', name: 'mail', input: 'x', result })
  await store.release(lease, { clean: false })
  return lease
}

export function policyOf(recovery: RecoveryMode): ClaimRequest['policy'] {
  // What is saved in the corpus must not have expired when it is run again.
  return { recovery, retainMs: years, retainUnknownMs: years }
}

async function assertHonest(place: Place, lease: Awaited<ReturnType<typeof prepare>>): Promise<void> {
  const { store } = place
  const { id, policy } = lease
  const inspection = inspectionOf(store)
  const before = await place.raw(id)
  const saidNew = await place.saysNew(id)
  const found = await inspection.get(id)
  assert(found !== undefined || saidNew, 'a record that is there is said to be absent')
  const request = requestFor(id, { policy })
  const earlyMs = await place.nowMs()
  const result = await store.claim(request)
  const times = timesBetween(earlyMs, await place.nowMs(), found)
  const expected = times.map((nowMs) => expectedOf(found, request, nowMs))
  if (found?.state !== 'unreadable') {
    assert(
      expected.some((each) => isDeepStrictEqual(each, gist(result))),
      `the record is ${JSON.stringify(found)}, and its claim ${JSON.stringify(result)}`,
    )
    return
  }
  if (result.kind === 'claimed') {
    // What a takeover needs could be read: its owner or its label can't be.
    const isNew = result.takeover === undefined && !saidNew
    assert(!isNew, `a record that is unreadable (${found.reason}) was run as new`)
  } else if (!place.readsLate) {
    assert.deepEqual(await place.raw(id), before, 'a record that is unreadable was written over')
  }
  const again = await store.claim(requestFor(id, { policy }))
  assert.notEqual(again.kind, 'claimed', 'a record that is unreadable was granted at the second try')
  // Whoever holds the latest token may still write the truth; in a batch it must not be in the others' way.
  const other = await mustClaim(store, `${id} beside`)
  const [, renewed] = await store.renew([lease, other])
  assert.equal(renewed, 'renewed')
  await store.complete(lease, { kind: 'response', failed: false, response: neighbour })
  await inspection.forget(other.id)
}

/** Of what is damaged a store's clock may run ahead; whether a lease is over can then be told by the store alone. */
const farthestAheadMs = 60_000

function timesBetween(earlyMs: number, lateMs: number, found: InspectedRecord | undefined): number[] {
  if (found === undefined || 'reason' in found || found.record.state !== 'running') return [earlyMs, lateMs]
  const { leaseUntilMs } = found.record
  const isNear = leaseUntilMs > earlyMs && leaseUntilMs < lateMs + farthestAheadMs
  if (found.state === 'lapsed') return [Math.max(earlyMs, leaseUntilMs)]
  return isNear ? [earlyMs, leaseUntilMs] : [earlyMs, lateMs]
}

type Gist = ReturnType<typeof gist>

/** What the rules make of the record, as operators see it. */
function expectedOf(found: InspectedRecord | undefined, request: ClaimRequest, nowMs: number): Gist {
  if (found !== undefined && 'reason' in found)
    return { kind: 'unreadable', takeover: undefined, steps: undefined }
  return gist(rules.claim(found?.record, request, nowMs).result)
}

function gist(result: ClaimResult) {
  const { kind } = result
  const { takeover, steps } = kind === 'claimed' ? result : {}
  return { kind, takeover: takeover?.of, steps: steps?.map(({ name, state }) => `${name} ${state}`) }
}
