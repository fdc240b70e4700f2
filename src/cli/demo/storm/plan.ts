import { createHash } from 'node:crypto'

/** One thing that a customer wants to buy once, and all that will go wrong on the way. */
export interface Purchase {
  /** The purchase intent. Reaches the ledger with every charge; no part of hapax sees it. */
  readonly intent: string
  readonly key: string
  readonly workMs: number
  readonly clicks: readonly Click[]
}

/** Each click sends the same order, and tries again until it has an answer. */
export interface Click {
  readonly afterMs: number
  /** How long the first try waits for its answer before the customer's client gives up on it. */
  readonly patienceMs: number
  /** How many answers the network loses. */
  readonly lostAnswers: number
  /** What the client draws its back-off from. */
  readonly seed: number
}

/** The same seed makes the same purchases; `run` keeps their keys apart from those of another storm. */
export function planPurchases({
  seed,
  intents,
  run,
}: {
  seed: number
  intents: number
  run: string
}): Purchase[] {
  const chance = randomFrom(seed)
  return Array.from({ length: intents }, (_, index) => {
    const intent = `intent-${String(index + 1).padStart(4, '0')}`
    return { intent, key: keyOf(run, intent), workMs: planWork(chance), clicks: planClicks(chance) }
  })
}

/** A small generator of numbers from 0 up to 1 (mulberry32), for choices that can be repeated. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const usualPatienceMs = 5000

function planWork(chance: () => number): number {
  // One in eight is slower than the load balancer's patience.
  return chance() < 0.125 ? between(chance, 600, 900) : between(chance, 10, 80)
}

function planClicks(chance: () => number): Click[] {
  const share = chance()
  const count = share < 0.6 ? 1 : share < 0.9 ? 2 : 3
  return Array.from({ length: count }, (_, index) => ({
    afterMs: index * between(chance, 5, 60),
    patienceMs: chance() < 0.15 ? between(chance, 20, 120) : usualPatienceMs,
    lostAnswers: chance() < 0.15 ? (chance() < 0.7 ? 1 : 2) : 0,
    seed: Math.floor(chance() * 2 ** 32),
  }))
}

function between(chance: () => number, least: number, most: number): number {
  return Math.round(least + chance() * (most - least))
}

function keyOf(run: string, intent: string): string {
  return createHash('sha256').update(`${run} ${intent}`).digest('hex').slice(0, 32)
}
