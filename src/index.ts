import { type Idempotency, idempotencyOver } from './core/idempotency.ts'
import type { EngineOptions } from './core/options.ts'
import { memoryStore } from './stores/memory.ts'

/**
 * The engine for any function: queue consumers, webhooks, jobs. HTTP APIs use their framework's entry point
 * instead, for example `hapax/express`.
 *
 * @throws IdempotencyError `invalid-option` for a wrong or unknown option, by name.
 * @example
 * const once = createIdempotency({ store: sqliteStore('jobs.db') })
 * await once.run({ key: message.id, scope: 'invoices', payload: message.body }, () => sendInvoice(message.body))
 */
export function createIdempotency(options: EngineOptions = {}): Idempotency {
  return idempotencyOver(options, () => memoryStore())
}

export { type Clock, type Timer } from './core/clock.ts'
export { type EarlierStep, type EarlierSteps } from './core/earlier-steps.ts'
export { type ErrorCode, IdempotencyError, isIdempotencyError } from './core/errors.ts'
export { type EventListener, type IdempotencyEvent } from './core/events.ts'
export { type Idempotency } from './core/idempotency.ts'
export { type Logger, type MisuseCode } from './core/misuse.ts'
export {
  type ConcurrentOption,
  type EngineOptions,
  type RecoveryOption,
  type RunOptions,
} from './core/options.ts'
export { type RunContext } from './core/run-context.ts'
export { type RunRecoveryContext, type RunRequest } from './core/run.ts'
export { type Duration } from './protocol/duration.ts'
export { type ProblemCode, problemCodes } from './protocol/codes.ts'
export { type Problem } from './protocol/problem.ts'
export * from './core/record.ts'
export * from './core/journal.ts'
export { type StepOptions, type StepRunner, type TransactionOptions } from './core/steps.ts'
export * from './core/store.ts'
export { memoryStore } from './stores/memory.ts'
