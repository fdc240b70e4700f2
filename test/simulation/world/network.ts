// What becomes of one message. Each fault has a name, so that a story can be told again without it.

import type { World } from './world.ts'

export interface Fate {
  readonly delayMs: number
  readonly lost: boolean
  /** The connection broke: the sender learns at once, but not whether the message arrived. */
  readonly reset: boolean
  /** When the same message arrives a second time. */
  readonly againMs: number | undefined
}

/** `about` identifies the message in this world; `title` names it in stories. A reply can't arrive `twice`. */
export function fateOf(world: World, about: readonly number[], title: () => string, twice: boolean): Fate {
  const { network } = world.plan
  const chance = world.chance(...about)
  const usualMs = 1 + (chance % network.delayMs)
  if (world.healed) return { delayMs: usualMs, lost: false, reset: false, againMs: undefined }
  const happens = (rate: number, salt: number, kind: string): boolean => {
    if (rate === 0 || world.chance(...about, salt) % 1000 >= rate) return false
    const name = `${kind}: ${title()}`
    if (world.plan.muted.has(name)) return false
    world.messageFaults.push(name)
    world.fault(kind, () => name)
    return true
  }
  const late = happens(network.late, 1, 'late message')
  const delayMs = late ? 1 + (world.chance(...about, 2) % network.lateMs) : usualMs
  const lost = happens(network.lost, 3, 'lost message')
  const reset = !lost && happens(network.reset, 4, 'broken connection')
  const again = twice && happens(network.duplicated, 5, 'duplicated message')
  return {
    delayMs,
    lost,
    reset,
    againMs: again ? 1 + (world.chance(...about, 6) % network.lateMs) : undefined,
  }
}
