import { describe, expect, it } from 'vitest'
import { exploreScenario } from './model/check.ts'
import { scenarios } from './model/scenarios.ts'
import { seededBugs } from './seeded-bugs.ts'

/** The scenario in which the explorer finds each seeded bug, and the promise that it sees broken. */
const finds: Readonly<Record<string, readonly [scenario: string, promise: string]>> = {
  'no-fencing': ['two duplicates, rerun', 'Fencing (1.4)'],
  'read-then-write': ['two duplicates, refuse', 'A token was given out that is not the largest yet (1.3)'],
  'fence-at-the-wrong-end': ['two duplicates, rerun', 'Fencing (1.4)'],
  'renewal-without-token': ['two duplicates, rerun', 'Fencing (1.4)'],
  'answer-before-record': ['two duplicates, refuse', 'Recorded before it is told'],
  'token-restarts-at-1': ['a store that forgets', 'A token was given out that is not the largest yet (1.3)'],
  'release-keeps-its-token': ['a turned-away request and its retry', 'A released token wrote'],
  'lease-is-a-ttl': ['two duplicates, refuse', 'Never twice by surprise'],
  'lease-never-lapses': ['two duplicates, refuse', 'Never stuck'],
  'takeover-by-the-route-alone': ['a rolling deploy to reconcile', 'Never twice by surprise'],
  'fingerprint-of-completed-only': ['two requests under one key', 'Same key, same request'],
  'abandon-frees-anyone': ['two duplicates, refuse', 'abandon undid the claim of another (2.8)'],
  'settlement-without-a-token': ['an operator answers', 'A settlement took no new token (2.9)'],
  'failure-counts-as-nothing': ['a failure and its retry, refuse', 'Never twice by surprise'],
  'same-claim-wins-twice': ['two duplicates, refuse, messages twice', 'The same claim sent twice'],
}

describe('the model of the real transitions', () => {
  it.each(scenarios)(
    'keeps every promise in every state: $name',
    (scenario) => {
      const result = exploreScenario(scenario)
      expect(result).toMatchObject({ kind: 'exhausted' })
      // A scenario that can hardly move would keep every promise too.
      expect(result.states).toBeGreaterThan(5_000)
    },
    60_000,
  )

  it.each(Object.entries(finds))(
    'finds the seeded bug %s',
    (name, [scenarioName, promise]) => {
      const bug = seededBugs.find((candidate) => candidate.name === name)
      const scenario = scenarios.find((candidate) => candidate.name === scenarioName)
      if (bug === undefined || scenario === undefined) throw new Error(`No such bug or scenario: ${name}`)
      expect(exploreScenario(scenario, bug)).toMatchObject({
        kind: 'broken',
        promise: expect.stringContaining(promise),
      })
    },
    60_000,
  )

  it('tells the shortest story, step by step', () => {
    const bug = seededBugs.find(({ name }) => name === 'answer-before-record')
    const scenario = scenarios.find(({ name }) => name === 'two duplicates, refuse')
    if (bug === undefined || scenario === undefined) throw new Error('The bug or the scenario is gone.')
    expect(exploreScenario(scenario, bug)).toMatchObject({
      story: [
        'A sends its claim',
        "the store carries out A's claim: claimed, token 1000000",
        'A hears that it holds the key, and starts its handler',
        "A's handler pays",
        "A's handler ends with 201",
      ],
    })
  })
})
