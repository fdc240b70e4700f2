import type { CellOptions } from './cell.ts'

/** What was counted in one run of one store under one fault. */
export interface Account {
  readonly requests: number
  /** Requests for an intent that had been sent before. */
  readonly duplicates: number
  readonly intents: number
  /** How often each answer was given. */
  readonly words: Readonly<Record<string, number>>
  /** Lines of the ledger beyond the first for each intent. */
  readonly secondEffects: number
  /** Intents whose client was told of a success that never happened. */
  readonly untrue: number
  /** Two answers to one intent that can't both be true. */
  readonly contradictions: readonly string[]
  /** Answers that found no room once they had been told: retries hear `response-not-kept`. */
  readonly notKept: number
  /** Intents that ended in `outcome-unknown`. */
  readonly unknown: number
  /** Intents without a definite answer long after everything worked again. */
  readonly stuck: number
  readonly slowestAnswerMs: number
  /** From the mending until every server had served a fresh request. */
  readonly recoveryMs: number
  /** Last words of servers that ended by themselves. */
  readonly crashes: readonly string[]
}

/** A promise that was broken, in words. */
export type Finding = string

const slowestAllowedMs = 4_000
const recoveryAllowedMs = 5_000

export function judge(account: Account, options: CellOptions): Finding[] {
  const forgets = mayForget(options)
  return [
    ...(account.secondEffects > 0 && !forgets ? [`${account.secondEffects} effects happened again`] : []),
    ...(account.untrue > 0 ? [`${account.untrue} clients were told of a success that never happened`] : []),
    ...(account.contradictions.length > 0 && !forgets
      ? [
          `${account.contradictions.length} answers contradict an earlier one, as: ${account.contradictions[0]}`,
        ]
      : []),
    ...(account.notKept > 0 && !lacksRoom(options)
      ? [`${account.notKept} answers were not kept, though there was room`]
      : []),
    ...(account.stuck > 0 ? [`${account.stuck} keys are stuck`] : []),
    ...(account.crashes.length > 0
      ? [`${account.crashes.length} servers ended by themselves: ${nameOf(account.crashes[0] ?? '')}`]
      : []),
    ...(account.slowestAnswerMs > slowestAllowedMs
      ? [`an answer took ${account.slowestAnswerMs} ms, and ${slowestAllowedMs} is the most`]
      : []),
    ...(account.recoveryMs > recoveryAllowedMs
      ? [`service was back after ${account.recoveryMs} ms, and ${recoveryAllowedMs} is the most`]
      : []),
    // How other libraries refuse is their own affair.
    ...(options.library === 'hapax' ? strangeWords(account) : []),
  ]
}

/** The memory store says that it forgets with its process: docs/protocol.md, and README. */
function mayForget({ home, fault }: Pick<CellOptions, 'home' | 'fault'>): boolean {
  return home === 'memory' && (fault.name === 'server killed' || fault.name === 'rolling deploy')
}

/** Where there is no room, a body leaves a tombstone: docs/redis.md. */
function lacksRoom({ fault }: Pick<CellOptions, 'fault'>): boolean {
  return fault.name === 'store out of memory' || fault.name === 'disk full'
}

function strangeWords({ words }: Account): Finding[] {
  const strange = Object.entries(words).filter(([word]) => word.startsWith('other: '))
  return strange.map(
    ([word, count]) => `${count} answers of an unknown kind: ${word.slice('other: '.length)}`,
  )
}

/** The error among a process's last words, which are mostly its stack. */
function nameOf(lastWords: string): string {
  return /^.*Error\b.*$/m.exec(lastWords)?.[0] ?? lastWords
}
