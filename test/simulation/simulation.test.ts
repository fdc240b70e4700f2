import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { digestOf, firstBroken, judge } from './judge.ts'
import { type SeededBug, seededBugs } from './seeded-bugs.ts'
import { shrink, storyOf } from './shrink.ts'
import { noTally, sum, tallyOf } from './tally.ts'
import { type Plan, planOf } from './world/plan.ts'
import { buggySubject } from './world/rules-store.ts'
import { realSubject } from './world/simulate.ts'

const seeds = 3_000

describe('the engine and the memory store in simulated worlds', () => {
  it(`keep every promise in ${seeds} worlds`, async () => {
    let tally = noTally
    for (let seed = 0; seed < seeds; seed += 1) {
      const judged = await judge(planOf(seed))
      expect(judged.violations, `seed ${seed}: npm run simulate -- --seed ${seed}`).toEqual([])
      tally = sum(tally, tallyOf(judged))
    }
    // Worlds in which nothing happens keep every promise too.
    for (const fault of everyFault) expect(tally.faults[fault], fault).toBeGreaterThan(5)
    for (const answer of everyAnswer) expect(tally.happened[`answer: ${answer}`], answer).toBeGreaterThan(50)
    expect(tally.happened['effect']).toBeGreaterThan(seeds / 2)
  }, 120_000)

  it('have the same history for the same seed, on every machine', async () => {
    const digests: string[] = []
    const inJournals: string[] = []
    for (let seed = 0; seed < 200; seed += 1) {
      const plan = planOf(seed)
      const digest = digestOf((await judge(plan)).history)
      if (plan.journal === 'none') digests.push(digest)
      else inJournals.push(digest)
    }
    // A change of the engine or of the plans changes histories: pin what comes now, if it was meant to.
    expect(digests.slice(1, 4).map((digest) => digest.slice(0, 16))).toEqual(pinnedDigests)
    expect(digestOfAll(digests)).toBe(pinnedDigestOfAll)
    expect(digestOfAll(inJournals)).toBe(pinnedDigestInJournals)
  })

  it('have the same history whatever was simulated before', async () => {
    const lonely = digestOf((await judge(planOf(42))).history)
    await judge(planOf(43))
    expect(digestOf((await judge(planOf(42))).history)).toBe(lonely)
  })
})

describe('the simulation', () => {
  it.each(seededBugs)(
    'finds the seeded bug $name',
    async (bug) => {
      const promise = brokenPromises[bug.name]
      if (promise === undefined) throw new Error('Say which promise this bug breaks.')
      expect(await firstBroken(buggySubject(bug), 10_000, promise, worldsOf(bug))).toBeDefined()
    },
    60_000,
  )

  it('finds nothing in the same store without a bug', async () => {
    expect(await firstBroken(buggySubject(undefined), 500)).toBeUndefined()
  }, 60_000)

  it('shrinks a story to what matters, and tells it', async () => {
    const bug = seededBugs.find(({ name }) => name === 'lease-is-a-ttl')
    const subject = buggySubject(bug)
    // Of the seeds that find it, one whose story shrinks to one client; not every story does.
    const shrunk = await shrink(planOf(26), subject)
    if (shrunk === undefined) throw new Error('The same seed broke nothing the second time.')
    expect(shrunk.plan.intents).toHaveLength(1)
    expect(shrunk.plan.faults.length).toBeLessThanOrEqual(1)
    const story = (await storyOf(shrunk, subject)).join('\n')
    expect(story).toMatch(/run 1 has its EFFECT[^]*run 2 has its EFFECT[^]*BROKEN: Never twice by surprise/)
  }, 60_000)

  it('finds nothing where there is nothing to shrink', async () => {
    expect(await shrink(planOf(1), realSubject)).toBeUndefined()
  })
})

function digestOfAll(digests: readonly string[]): string {
  return createHash('sha256').update(digests.join()).digest('hex').slice(0, 16)
}

/** A bug is looked for where it can show. */
function worldsOf({ inSteps = false, inJournals = false }: SeededBug): (plan: Plan) => boolean {
  return ({ steps, journal }) => (steps || !inSteps) && (journal !== 'none' || !inJournals)
}

/** What the checker must say of each seeded bug: it may break more, but this is its point. */
const brokenPromises: Readonly<Record<string, string>> = {
  'no-fencing': 'One outcome',
  'read-then-write': 'Never twice by surprise',
  'fence-at-the-wrong-end': 'One outcome',
  'renewal-without-token': 'Never twice by surprise',
  'answer-before-record': 'Recorded before it is told',
  'token-restarts-at-1': 'The fencing token rises',
  'release-keeps-its-token': 'No false alarm',
  'lease-is-a-ttl': 'Never twice by surprise',
  'lease-never-lapses': 'Never stuck',
  'takeover-by-the-route-alone': 'Never twice by surprise',
  'fingerprint-of-completed-only': 'Never twice by surprise',
  'abandon-frees-anyone': 'Never twice by surprise',
  'settlement-without-a-token': 'One outcome',
  'failure-counts-as-nothing': 'Never twice by surprise',
  'same-claim-wins-twice': 'One winner',
  'heartbeat-renews-nothing': 'Never twice by surprise',
  'steps-without-a-token': 'Effects committed once',
  'takeover-forgets-steps': 'Effects committed once',
  'journal-without-a-fence': 'A stale owner commits nothing',
  'journal-fenced-at-the-beginning': 'A stale owner commits nothing',
  'journal-of-any-request': 'A step tells the truth',
  'journal-steps-outlive-their-key': 'A step tells the truth',
  'lost-commit-is-none': 'A step tells the truth',
}

const everyFault = [
  'late message',
  'lost message',
  'broken connection',
  'duplicated message',
  'client left',
  'crash',
  'shutdown',
  'stalled process',
  'suspended process',
  'clock of a process',
  'refused request',
  'partition',
  'cut off',
  'store down',
  'refused connection',
  'stalled store',
  'clock of the store',
  'store forgets',
  'settlement',
  'journal restarts',
  'journal cleans',
  'idle transaction',
  'lost answer to COMMIT',
]

const everyAnswer = [
  'answered',
  'in-progress',
  'outcome-unknown',
  'key-reused',
  'store-unavailable',
  'response-not-kept',
]

const pinnedDigests = ['17417b7d29d80aab', '28118c1d3bcbd12c', '35ada96adada565b']
// Of the worlds without a journal.
const pinnedDigestOfAll = '9d24873bff74e3e3'
const pinnedDigestInJournals = 'd12af00ebb052fdd'
