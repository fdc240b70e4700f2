// Everything that is decided about a world before it begins. A plan is data, so that it can be shrunk.

import type { Recovery } from '../checker/history.ts'
import { mixed, Random } from './random.ts'

export interface Plan {
  readonly seed: number
  /** What each process says about running again: they differ while a deploy rolls. */
  readonly recoveries: readonly [Recovery, ...Recovery[]]
  /** How requests come in: through the seam of the HTTP adapters, or through `run`. */
  readonly entry: 'begin' | 'run'
  readonly bypass: boolean
  /** Handlers have their effect in a step. */
  readonly steps: boolean
  /** Where steps are remembered: the record, or a journal; there, effects may be part of a transaction. */
  readonly journal: 'none' | 'steps' | 'transactions'
  /** For how long the journal remembers a key, counted from its last opening. */
  readonly keepMs: number
  /** Of a thousand commits in the journal's database, how many lose their answer. */
  readonly lostCommits: number
  readonly leaseMs: number
  readonly maxRunMs: number
  readonly storeTimeoutMs: number
  readonly waitMs: number
  readonly retainMs: number
  readonly retainUnknownMs: number
  readonly processes: number
  readonly calm: boolean
  /** How long handlers take at most. */
  readonly workMs: number
  readonly intents: readonly Intent[]
  readonly faults: readonly Fault[]
  readonly network: Network
  /** When the last fault is over and everything heals. */
  readonly healMs: number
  /** Single message faults that are left out, by name: how a story is shrunk. */
  readonly muted: ReadonlySet<string>
}

/** One thing that a client wants done, however often it must ask. */
export interface Intent {
  readonly index: number
  readonly key: string
  readonly payload: string
  readonly atMs: number
  /** Requests sent at once: a double click. */
  readonly copies: number
  readonly attempts: number
  readonly patienceMs: number
}

export type Fault = { readonly atMs: number } & (
  | { readonly kind: 'crash'; readonly process: number; readonly downMs: number }
  | { readonly kind: 'shutdown'; readonly process: number; readonly graceMs: number; readonly downMs: number }
  /** `suspended`: the machine sleeps, and its monotonic clock with it. */
  | { readonly kind: 'stall'; readonly process: number; readonly forMs: number; readonly suspended: boolean }
  | { readonly kind: 'process-clock'; readonly process: number; readonly byMs: number }
  | { readonly kind: 'partition'; readonly process: number; readonly forMs: number }
  | { readonly kind: 'store-clock'; readonly byMs: number }
  | { readonly kind: 'store-stall'; readonly forMs: number }
  | { readonly kind: 'store-down'; readonly forMs: number }
  | { readonly kind: 'store-forgets' }
  | { readonly kind: 'journal-restarts'; readonly downMs: number }
  | { readonly kind: 'journal-cleans' }
  | { readonly kind: 'settle'; readonly key: string; readonly how: 'release' | 'answer' | 'delete' }
)

/** Rates are per thousand messages. */
interface Network {
  readonly delayMs: number
  readonly lateMs: number
  readonly late: number
  readonly lost: number
  readonly reset: number
  readonly duplicated: number
}

export function planOf(seed: number): Plan {
  const plan = planWithoutJournal(seed)
  // Not drawn from the plan's own chance, so that worlds without a journal stay as they were.
  return mixed(seed, 21) % 5 === 0 ? withJournal(plan, new Random(mixed(seed, 22))) : plan
}

function planWithoutJournal(seed: number): Plan {
  const random = new Random(seed)
  const mood = random.pick(['calm', 'messages', 'processes', 'everything'])
  const leaseMs = random.pick([200, 500, 2_000])
  const storeTimeoutMs = random.pick([40, 100, 400])
  const healMs = leaseMs * random.between(2, 5)
  const faulty = mood === 'processes' || mood === 'everything'
  const keys = random.between(1, 2)
  const plan = {
    seed,
    recoveries: recoveriesOf(random),
    entry: random.pick(['begin', 'run']),
    bypass: faulty && random.chance(50),
    // Not drawn from `random`, so that worlds without steps stay as they were.
    steps: mixed(seed, 9) % 4 === 0,
    journal: 'none',
    keepMs: 0,
    lostCommits: 0,
    leaseMs,
    maxRunMs: leaseMs * random.pick([2, 8]),
    storeTimeoutMs,
    waitMs: random.chance(350) ? random.between(20, leaseMs) : 0,
    // A record that expires in the middle of a story is a fault like any other.
    retainMs: !random.chance(100) || mood === 'calm' ? longMs : leaseMs * 2,
    retainUnknownMs: longMs,
    processes: random.between(1, 3),
    calm: mood === 'calm',
    workMs: random.pick([5, 50, leaseMs, leaseMs * 3]),
    healMs,
    muted: new Set<string>(),
  } satisfies Partial<Plan>
  return {
    ...plan,
    intents: intentsOf(random, keys, healMs, leaseMs),
    faults: faulty ? faultsOf(random, plan.processes, keys, healMs, leaseMs) : [],
    network: networkOf(random, mood, leaseMs, storeTimeoutMs),
  }
}

/** The same world with a journal in the application's database, and a store that forgets more often. */
function withJournal(plan: Plan, random: Random): Plan {
  const { leaseMs, maxRunMs, healMs, calm } = plan
  const expires = random.chance(300)
  const retention = expires ? { retainMs: leaseMs * 2, retainUnknownMs: leaseMs * 4 } : {}
  const { retainMs, retainUnknownMs } = { ...plan, ...retention }
  const keepMs = Math.max(retainMs, retainUnknownMs) + maxRunMs + 3_600_000
  const faulty = plan.faults.length > 0 || (!calm && random.chance(500))
  return {
    ...plan,
    ...retention,
    steps: true,
    journal: random.chance(700) ? 'transactions' : 'steps',
    keepMs,
    lostCommits: calm ? 0 : random.pick([0, 100, 400]),
    intents: expires
      ? [...plan.intents, ...laterIntentsOf(random, plan.intents.length, healMs, keepMs)]
      : plan.intents,
    faults: [
      ...plan.faults.map(forwardOnly),
      ...(faulty ? journalFaultsOf(random, plan) : []),
      ...(expires ? [{ kind: 'journal-cleans' as const, atMs: healMs + keepMs * random.between(1, 3) }] : []),
    ],
  }
}

/** A store that forgot has nothing but its clock to keep its tokens rising. */
function forwardOnly(fault: Fault): Fault {
  return fault.kind === 'store-clock' ? { ...fault, byMs: Math.abs(fault.byMs) } : fault
}

/** Somebody comes back with an old key before, at about, and after the time when the journal forgets it. */
function laterIntentsOf(random: Random, count: number, fromMs: number, keepMs: number): Intent[] {
  return Array.from({ length: random.between(1, 3) }, (_, index) => ({
    index: count + index,
    key: 'k1',
    payload: random.pick(['order', 'other']),
    atMs: fromMs + Math.floor(keepMs * random.pick([0.5, 1.1, 2.3, 3.5])) + random.between(0, 20),
    copies: random.chance(300) ? 2 : 1,
    attempts: random.between(1, 2),
    patienceMs: 20_000,
  }))
}

function journalFaultsOf(random: Random, { processes, intents, healMs, leaseMs }: Plan): Fault[] {
  return Array.from({ length: random.between(1, 3) }, (): Fault => {
    const atMs = random.between(1, healMs)
    const process = random.between(0, processes - 1)
    const forMs = random.between(1, leaseMs * 3)
    const soonMs = (intents[0]?.atMs ?? 0) + random.between(4, 60)
    switch (random.between(0, 5)) {
      case 0:
      case 1:
        return { kind: 'store-forgets', atMs }
      case 2:
        return { kind: 'journal-restarts', atMs, downMs: forMs }
      case 3:
        // Between the claim and the opening, or in a transaction; for so long that another takes over.
        return { kind: 'stall', atMs: soonMs, process, forMs: leaseMs + forMs, suspended: false }
      case 4:
        return { kind: 'partition', atMs, process, forMs }
      default:
        return { kind: 'crash', atMs, process, downMs: forMs }
    }
  })
}

const longMs = 86_400_000

function recoveriesOf(random: Random): readonly [Recovery, ...Recovery[]] {
  const recovery = () => random.pick<Recovery>(['refuse', 'rerun', 'reconcile'])
  const usual = recovery()
  return random.chance(150) ? [usual, recovery(), recovery()] : [usual, usual, usual]
}

function intentsOf(random: Random, keys: number, untilMs: number, leaseMs: number): Intent[] {
  return Array.from({ length: random.between(1, 4) }, (_, index) => ({
    index,
    key: `k${random.between(1, keys)}`,
    payload: random.chance(120) ? 'other' : 'order',
    atMs: random.chance(500) ? random.between(0, 10) : random.between(0, untilMs),
    copies: random.chance(300) ? 2 : 1,
    attempts: random.between(1, 4),
    patienceMs: random.pick([50, leaseMs, leaseMs * 4]),
  }))
}

function faultsOf(
  random: Random,
  processes: number,
  keys: number,
  untilMs: number,
  leaseMs: number,
): Fault[] {
  const forgets = random.chance(80)
  return Array.from({ length: random.between(0, 4) }, (): Fault => {
    const atMs = random.between(1, untilMs)
    const process = random.between(0, processes - 1)
    const forMs = random.between(1, leaseMs * 3)
    switch (random.between(0, 12)) {
      case 0:
      case 1:
        return { kind: 'crash', atMs, process, downMs: forMs }
      case 2:
        return { kind: 'shutdown', atMs, process, graceMs: random.pick([1, leaseMs]), downMs: forMs }
      case 3:
      case 4:
        return { kind: 'stall', atMs, process, forMs, suspended: random.chance(250) }
      case 5:
        return { kind: 'process-clock', atMs, process, byMs: random.between(-100_000, 100_000) }
      case 6:
        // A store that forgot has nothing but its clock to keep its tokens rising.
        return { kind: 'store-clock', atMs, byMs: random.between(forgets ? 0 : -leaseMs * 3, leaseMs * 2) }
      case 7:
        return { kind: 'store-stall', atMs, forMs }
      case 8:
        return { kind: 'store-down', atMs, forMs }
      case 10:
      case 11:
        return { kind: 'partition', atMs, process, forMs }
      case 9:
        if (forgets) return { kind: 'store-forgets', atMs }
        return { kind: 'crash', atMs, process, downMs: forMs }
      default:
        return {
          kind: 'settle',
          atMs,
          key: `k${random.between(1, keys)}`,
          how: random.pick(['release', 'answer', 'delete']),
        }
    }
  })
}

function networkOf(random: Random, mood: string, leaseMs: number, storeTimeoutMs: number): Network {
  const delayMs = random.pick([1, 5, Math.floor(storeTimeoutMs / 8)])
  if (mood === 'calm' || mood === 'processes') {
    return { delayMs, lateMs: delayMs, late: 0, lost: 0, reset: 0, duplicated: 0 }
  }
  const rate = () => random.pick([0, 20, 100, 300])
  const lateMs = random.pick([storeTimeoutMs * 2, leaseMs * 2])
  return { delayMs, lateMs, late: rate(), lost: rate(), reset: rate(), duplicated: rate() }
}
