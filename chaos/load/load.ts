// Closed loops of clients: half use this project's client, half what people write by hand.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Intent, isDefinite, newIntent } from './intent.ts'
import type { Sender } from './sender.ts'

const naiveTries = 8

export interface Load {
  readonly intents: readonly Intent[]
  /** Lets every client finish what it is at. */
  stop(): Promise<void>
}

export function startLoad(sender: Sender, clients: number, random: () => number): Load {
  const intents: Intent[] = []
  const state = { isStopping: false }
  const loop = async (sendOne: (intent: Intent) => Promise<void>) => {
    while (!state.isStopping) {
      const intent = newIntent()
      intents.push(intent)
      await sendOne(intent)
    }
  }
  const loops = Array.from({ length: clients }, (_, index) =>
    loop(
      index % 2 === 0
        ? (intent) => sender.sendByClient(intent)
        : (intent) => sendByHand(sender, intent, random),
    ),
  )
  return {
    intents,
    stop: async () => {
      state.isStopping = true
      await Promise.all(loops)
    },
  }
}

/** Some click twice at once; all try again soon, whatever they hear, and give up after a while. */
async function sendByHand(sender: Sender, intent: Intent, random: () => number): Promise<void> {
  const clicks = random() < 0.3 ? 2 : 1
  const words = await Promise.all(Array.from({ length: clicks }, () => sender.send(intent)))
  if (words.some(isDefinite)) return
  for (let attempt = 1; attempt < naiveTries; attempt += 1) {
    await sleep(50 + 150 * random())
    if (isDefinite(await sender.send(intent))) return
  }
}

/** Asks after every intent that has no definite answer yet, until `patienceMs` is over. Returns those that are stuck. */
export async function settle(
  sender: Sender,
  intents: readonly Intent[],
  patienceMs: number,
): Promise<Intent[]> {
  const giveUpAtMs = performance.now() + patienceMs
  for (;;) {
    const open = intents.filter(({ settled }) => settled === undefined)
    if (open.length === 0 || performance.now() > giveUpAtMs) return open
    await inGroups(open, (intent) => sender.send(intent))
    await sleep(200)
  }
}

/** Once more for each intent: what was told must be told again, and nothing may happen anew. */
export async function askAgain(sender: Sender, intents: readonly Intent[]): Promise<void> {
  await inGroups(intents, (intent) => sender.send(intent))
}

async function inGroups(
  intents: readonly Intent[],
  work: (intent: Intent) => Promise<unknown>,
): Promise<void> {
  const queue = intents[Symbol.iterator]()
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (const intent of queue) await work(intent)
    }),
  )
}
