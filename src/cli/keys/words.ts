import { styleText } from 'node:util'
import type { StateName } from './search.ts'

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const

/** `2h`, `45s`: the largest unit is enough to see what is stuck. */
export function spanOf(ms: number | undefined): string {
  if (ms === undefined) return '–'
  const [unit, size] = units.find(([, unitMs]) => ms >= unitMs) ?? ['ms', 1]
  return `${Math.floor(ms / size)}${unit}`
}

const colours: Readonly<Record<StateName, 'green' | 'yellow' | 'red' | 'gray' | 'cyan'>> = {
  running: 'cyan',
  lapsed: 'yellow',
  released: 'gray',
  completed: 'green',
  failed: 'yellow',
  unknown: 'red',
  unreadable: 'red',
}

/** In colour on a terminal only. */
export function stateWord(state: StateName, width = state.length): string {
  return styleText(colours[state], state.padEnd(width), { stream: process.stdout })
}
