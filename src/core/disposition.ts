import type { RecoveryMode } from './record.ts'

/** What becomes of a finished run. */
export type Disposition =
  | { readonly kind: 'keep'; readonly failed: boolean }
  /** `clean`: nothing happened, so the key is as good as new. */
  | { readonly kind: 'release'; readonly clean: boolean }

/** What the handler (`keep()`, `release()`) or the `keep` option asked for. */
export type Verdict = 'keep' | 'release'

/**
 * Which outcomes are kept. An answer that proves that nothing ran is released; an answer after which effects
 * may have happened is kept, and under `'rerun'` handed to the next try instead.
 *
 * @param stepBegan Whether a step of this or an earlier attempt may have had its effect.
 */
export function dispositionOf(
  status: number,
  recovery: RecoveryMode,
  verdict: Verdict | undefined,
  stepBegan: boolean,
): Disposition {
  const failed = isFailure(status)
  if (verdict === 'release') {
    // Nobody may run again after a step, so a release would leave a riddle where there is an answer.
    if (stepBegan && recovery === 'refuse') return { kind: 'keep', failed }
    return { kind: 'release', clean: !stepBegan }
  }
  if (verdict === 'keep') return { kind: 'keep', failed }
  if (refusedBeforeRunning.has(status) && !stepBegan) return { kind: 'release', clean: true }
  if (failed && recovery === 'rerun') return { kind: 'release', clean: false }
  return { kind: 'keep', failed }
}

/** Not authenticated, not allowed, too early, too many requests: said before anything runs. */
const refusedBeforeRunning = new Set([401, 403, 425, 429])

function isFailure(status: number): boolean {
  return status === 408 || status >= 500
}
