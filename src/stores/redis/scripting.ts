import type { RedisArgument } from './clients.ts'
import type { Connection } from './connection.ts'
import { isUnknownScript, storeError } from './errors.ts'
import type { Gate } from './gate.ts'
import type { Script } from './scripts.ts'

/** Runs the scripts by their digest, and teaches them to a server that does not know them. */
export class Scripting {
  readonly #connection: Connection
  readonly #gate: Gate

  constructor(connection: Connection, gate: Gate) {
    this.#connection = connection
    this.#gate = gate
  }

  /** @throws {IdempotencyError} `store-failed`, `store-full` */
  run(script: Script, key: string, args: readonly RedisArgument[]): Promise<unknown> {
    return this.#gate
      .pass(key, () => this.#connection.send(key, bySha(script, key, args)))
      .catch((error: unknown) => {
        // Any other error may have come after the script ran, so nothing else is sent twice.
        if (!isUnknownScript(error)) throw storeError(error)
        return this.#teach(script, key, args)
      })
  }

  /** Runs one script on many keys, in one pipeline for each node. The results stand in their order. */
  async runAll(
    script: Script,
    calls: ReadonlyArray<{ readonly key: string; readonly args: readonly RedisArgument[] }>,
  ): Promise<Array<PromiseSettledResult<unknown>>> {
    const [first] = calls
    if (first === undefined) return []
    try {
      return await this.#gate.pass(first.key, async () => {
        const batch = calls.map(({ key, args }) => ({ key, command: bySha(script, key, args) }))
        const results = await this.#connection.sendAll(batch)
        return Promise.all(results.map((result, index) => this.#again(script, calls[index], result)))
      })
    } catch (error) {
      throw storeError(error)
    }
  }

  async #teach(script: Script, key: string, args: readonly RedisArgument[]): Promise<unknown> {
    try {
      return await this.#gate.pass(key, () => this.#connection.send(key, bySource(script, key, args)))
    } catch (error) {
      throw storeError(error)
    }
  }

  async #again(
    script: Script,
    call: { readonly key: string; readonly args: readonly RedisArgument[] } | undefined,
    result: PromiseSettledResult<unknown>,
  ): Promise<PromiseSettledResult<unknown>> {
    if (call === undefined || result.status === 'fulfilled' || !isUnknownScript(result.reason)) return result
    const [again] = await Promise.allSettled([
      this.#connection.send(call.key, bySource(script, call.key, call.args)),
    ])
    return again
  }
}

function bySha(script: Script, key: string, args: readonly RedisArgument[]): RedisArgument[] {
  return ['EVALSHA', script.sha, '1', key, ...args]
}

function bySource(script: Script, key: string, args: readonly RedisArgument[]): RedisArgument[] {
  return ['EVAL', script.source, '1', key, ...args]
}
