import { Engine } from './engine.ts'
import { type EngineOptions, engineReaders, engineSettings } from './options.ts'
import { duration, readOptions } from './option-readers.ts'
import type { RunContext } from './run-context.ts'
import { run, type RunRequest } from './run.ts'
import type { Store } from './store.ts'

/** The engine for any function: queue consumers, webhooks, jobs. */
export interface Idempotency {
  /**
   * Runs `fn` once for a key; every other call with that key gets the recorded result, as JSON gives it back.
   *
   * @throws IdempotencyError with the code of the problem: `in-progress`, `key-reused`, `outcome-unknown`,
   * `store-unavailable`…; `recorded-failure` where the first run threw.
   * @example
   * const receipt = await once.run({ key: event.id, scope: 'stripe', payload: event }, () => ship(event))
   */
  run<T>(request: RunRequest<T>, fn: (context: RunContext) => T | Promise<T>): Promise<T>
  /**
   * Takes no more claims, lets what runs finish and be recorded (at most `graceMs`, default 30 s), then closes
   * the store if hapax opened what it holds. Until it has, the process does not end by itself.
   *
   * Rejects where the store can't be closed.
   */
  close(options?: { graceMs?: number }): Promise<void>
}

export function idempotencyOver(options: EngineOptions, defaultStore: () => Store): Idempotency {
  const engine = new Engine(engineSettings(readOptions(options, engineReaders(defaultStore))))
  return idempotencyOf(engine)
}

export function idempotencyOf(engine: Engine): Idempotency {
  return {
    run: (request, fn) => run(engine, request, fn),
    close: async ({ graceMs } = {}) => engine.close({ graceMs: readGraceMs(graceMs, 'graceMs') }),
  }
}

const readGraceMs = duration(30_000, 0)
