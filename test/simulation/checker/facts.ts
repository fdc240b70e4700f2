// The history, sorted by what it is about.

import type { Answer, HistoryEntry, Recovery, Terms } from './history.ts'

export interface RequestFacts {
  readonly number: number
  readonly client: string
  readonly key: string
  readonly payload: string
  readonly sentMs: number
  run: RunFacts | undefined
  asked: 'found' | 'rerun' | 'refuse' | undefined
  answer: (Answer & { readonly atMs: number }) | undefined
}

export interface RunFacts {
  readonly run: number
  readonly request: RequestFacts
  readonly process: string
  readonly token: number
  readonly recovery: Recovery
  readonly startMs: number
  effectMs: number
  /** The run whose effect it was told of, 0 where it was told that it had none. */
  told: { readonly paidBy: number; readonly atMs: number } | undefined
  endMs: number
  how: 'good' | 'failed' | 'nothing' | undefined
}

/** All that happened to one key. */
export interface KeyFacts {
  readonly key: string
  readonly requests: RequestFacts[]
  readonly runs: RunFacts[]
  /** When the key was made new: released by hand, deleted, or forgotten. */
  readonly settledMs: number[]
  /** When it was answered by hand. */
  readonly answeredMs: number[]
  /** When the journal forgot it. */
  readonly cleanedMs: number[]
}

export interface Facts {
  readonly terms: Terms
  readonly keys: ReadonlyMap<string, KeyFacts>
  readonly runs: ReadonlyMap<number, RunFacts>
  /** When each life of a process ended. */
  readonly endedMs: ReadonlyMap<string, number>
  /** When each life of a process was told to end. */
  readonly closingMs: ReadonlyMap<string, number>
}

/** A promise, and what breaks it. */
export type Broken = readonly [promise: string, details: string]

export const never = Number.POSITIVE_INFINITY

export function factsOf(history: readonly HistoryEntry[], terms: Terms): Facts {
  const keys = new Map<string, KeyFacts>()
  const requests = new Map<number, RequestFacts>()
  const runs = new Map<number, RunFacts>()
  const endedMs = new Map<string, number>()
  const closingMs = new Map<string, number>()
  const forgotMs: number[] = []
  const keyFacts = (key: string): KeyFacts => {
    const facts = keys.get(key) ?? {
      key,
      requests: [],
      runs: [],
      settledMs: [],
      answeredMs: [],
      cleanedMs: [],
    }
    keys.set(key, facts)
    return facts
  }
  for (const entry of history) {
    const { atMs } = entry
    switch (entry.kind) {
      case 'request': {
        const { request: number, client, key, payload } = entry
        const facts = {
          number,
          client,
          key,
          payload,
          sentMs: atMs,
          run: undefined,
          asked: undefined,
          answer: undefined,
        }
        requests.set(number, facts)
        keyFacts(key).requests.push(facts)
        break
      }
      case 'run': {
        const request = required(requests, entry.request)
        const { run, process, token, recovery } = entry
        const facts = {
          run,
          request,
          process,
          token,
          recovery,
          startMs: atMs,
          effectMs: never,
          told: undefined,
          endMs: never,
          how: undefined,
        }
        runs.set(run, facts)
        request.run = facts
        keyFacts(request.key).runs.push(facts)
        break
      }
      case 'asked':
        required(requests, entry.request).asked = entry.verdict
        break
      case 'effect':
        required(runs, entry.run).effectMs = atMs
        break
      case 'told':
        required(runs, entry.run).told = { paidBy: entry.paidBy, atMs }
        break
      case 'cleaned':
        keyFacts(entry.key).cleanedMs.push(atMs)
        break
      case 'ended': {
        const facts = required(runs, entry.run)
        facts.endMs = atMs
        facts.how = entry.how
        break
      }
      case 'answer':
        required(requests, entry.request).answer = entry
        break
      case 'settled':
        if (entry.how === 'answered') keyFacts(entry.key).answeredMs.push(atMs)
        else keyFacts(entry.key).settledMs.push(atMs)
        break
      case 'forgot':
        forgotMs.push(atMs)
        break
      case 'crashed':
        endedMs.set(entry.process, atMs)
        break
      case 'closing':
        closingMs.set(entry.process, atMs)
        break
      case 'started':
    }
  }
  for (const facts of keys.values()) facts.settledMs.push(...forgotMs)
  return { terms, keys, runs, endedMs, closingMs }
}

function required<T>(all: ReadonlyMap<number, T>, number: number): T {
  const found = all.get(number)
  if (found === undefined) throw new Error(`The history speaks of ${number}, which it never introduced.`)
  return found
}

/** Runs behind a claim, by the order of their tokens. */
export function protectedRuns({ runs }: KeyFacts): RunFacts[] {
  return runs.filter((run) => run.token > 0).toSorted((a, b) => a.token - b.token)
}
