/**
 * Keeps the process from ending while somebody waits for hapax; returns how to stop. The clock's timers never
 * do that: a job that waits for a winner in another process, or a shutdown that waits for a store that is
 * down, would end in the middle, its promise unsettled and its outcome lost.
 */
export function keepProcessAlive(): () => void {
  const timer = setInterval(() => {}, longestPeriodMs)
  return () => clearInterval(timer)
}

const longestPeriodMs = 2 ** 31 - 1
