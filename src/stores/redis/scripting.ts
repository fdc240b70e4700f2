import type { RedisArgument, RedisCommand } from './clients.ts'
import type { Connection } from './connection.ts'
import { isOutOfMemory, isUnknownScript, storeError } from './errors.ts'
import type { Gate } from './gate.ts'
import type * as scriptSources from './script-sources.ts'
import type { Script } from './scripts.ts'

type Sources = typeof scriptSources

/** A script with its key and arguments, and what becomes of the server's answer. */
export interface ScriptCall<T> {
  readonly script: Script
  readonly key: string
  readonly args: readonly RedisArgument[]
  read(reply: unknown): T | Promise<T>
  /** Instead of an error where the server had no memory left for it, and so did not run it. */
  readonly onFull?: (() => Promise<T>) | undefined
}

/** Runs the scripts by their digest, and teaches them to a server that does not know them. */
export class Scripting {
  readonly #connection: Connection
  readonly #gate: Gate
  #sources: Promise<Sources> | undefined

  constructor(connection: Connection, gate: Gate) {
    this.#connection = connection
    this.#gate = gate
  }

  /** @throws {IdempotencyError} `store-failed`, `store-full` */
  run<T>(call: ScriptCall<T>): Promise<T> {
    this.#sources ??= this.#load()
    const obstacle = this.#gate.obstacle(call.key)
    return obstacle === undefined ? this.#send(call) : obstacle.then(() => this.#send(call))
  }

  // One promise beside the client's own, from here to the reader of the reply: each request passes here twice.
  #send<T>(call: ScriptCall<T>): Promise<T> {
    this.#gate.sent()
    return this.#sent(call).then(
      (reply) => {
        this.#gate.answered()
        return call.read(reply)
      },
      (error: unknown) => {
        this.#gate.answered()
        // Any other error may have come after the script ran, so nothing else is sent twice.
        return isUnknownScript(error) ? this.#teach(call) : failed(call, error)
      },
    )
  }

  /** A client that refuses by throwing refuses. */
  #sent({ script, key, args }: ScriptCall<unknown>): Promise<unknown> {
    try {
      return this.#connection.send(key, bySha(script, key, args))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  /** Runs one script on many keys, in one pipeline for each node. The results stand in their order. */
  async runAll(
    script: Script,
    calls: ReadonlyArray<{ readonly key: string; readonly args: readonly RedisArgument[] }>,
  ): Promise<Array<PromiseSettledResult<unknown>>> {
    const [first] = calls
    if (first === undefined) return []
    this.#sources ??= this.#load()
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

  async #teach<T>(call: ScriptCall<T>): Promise<T> {
    const { script, key, args } = call
    let reply: unknown
    try {
      const command = await this.#bySource(script, key, args)
      reply = await this.#gate.pass(key, () => this.#connection.send(key, command))
    } catch (error) {
      return failed(call, error)
    }
    return call.read(reply)
  }

  async #again(
    script: Script,
    call: { readonly key: string; readonly args: readonly RedisArgument[] } | undefined,
    result: PromiseSettledResult<unknown>,
  ): Promise<PromiseSettledResult<unknown>> {
    if (call === undefined || result.status === 'fulfilled' || !isUnknownScript(result.reason)) return result
    const { key, args } = call
    const [again] = await Promise.allSettled([
      this.#bySource(script, key, args).then((command) => this.#connection.send(key, command)),
    ])
    return again
  }

  async #bySource(script: Script, key: string, args: readonly RedisArgument[]): Promise<RedisCommand> {
    this.#sources ??= this.#load()
    const sources = await this.#sources
    return ['EVAL', sources[script.name], '1', key, ...args]
  }

  /**
   * An eighth of what this package weighs, and most servers know the scripts already. They are loaded beside the first
   * call all the same: when a server forgets them, the files may have been gone for days.
   */
  #load(): Promise<Sources> {
    const loading = import('./script-sources.ts')
    // Whoever needs them is told. A process that was out of file descriptors may have some the next time.
    loading.catch(() => {
      this.#sources = undefined
    })
    return loading
  }
}

function failed<T>({ onFull }: ScriptCall<T>, error: unknown): Promise<T> {
  if (onFull !== undefined && isOutOfMemory(error)) return onFull()
  throw storeError(error)
}

function bySha(script: Script, key: string, args: readonly RedisArgument[]): RedisCommand {
  return ['EVALSHA', script.sha, '1', key, ...args]
}
