/** `hapax/checker`: the program `hapax check` as a library. */
export { CannotTest } from './cannot-test.ts'
export { allCases } from './cases/index.ts'
export { checkCommand } from './command.ts'
export type {
  BehaviourCard,
  Capability,
  Case,
  CaseResult,
  Finding,
  Level,
  Profile,
  Verdict,
} from './model.ts'
export { type Reference, type ReferenceOptions, startReference } from './reference/server.ts'
export { htmlReport } from './report/html.ts'
export { jsonReport } from './report/json.ts'
export { exitCodeOf } from './report/summary.ts'
export { textReport } from './report/text.ts'
export { type CheckOptions, type CheckReport, type Progress, runCheck } from './run.ts'
export type { Hooks, TargetOptions } from './target.ts'
