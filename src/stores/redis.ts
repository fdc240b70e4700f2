import { IdempotencyError } from '../core/errors.ts'
import { type Logger, processWarnings, safely } from '../core/misuse.ts'
import { listOf, objectWith, readOptions, text } from '../core/option-readers.ts'
import type {
  ClaimRequest,
  ClaimResult,
  HeldLease,
  Inspection,
  Outcome,
  RenewResult,
  StepChange,
  Store,
  Unsubscribe,
  WriteResult,
} from '../core/store.ts'
import { entombed } from '../core/tombstone.ts'
import {
  claimArguments,
  completeArguments,
  leaseArgument,
  renewArguments,
  stepArguments,
} from './redis/arguments.ts'
import { checkServers, type RedisWarningCode, redisWarningTexts } from './redis/checks.ts'
import type { RedisArgument, RedisClient } from './redis/clients.ts'
import { type Connection, connectionOf } from './redis/connection.ts'
import { isOutOfMemory } from './redis/errors.ts'
import { Gate } from './redis/gate.ts'
import { encodeOwner } from './redis/identity.ts'
import { Keys } from './redis/keys.ts'
import { lateInspection } from './redis/late-inspection.ts'
import { numberIn, readClaimReply, type ClaimReply } from './redis/replies.ts'
import { assertReplicas, readWaitReplicas, type WaitReplicas } from './redis/replicas.ts'
import { Scripting } from './redis/scripting.ts'
import * as scripts from './redis/scripts.ts'
import { ServerClock } from './remote/server-clock.ts'
import { Subscriptions } from './redis/subscriptions.ts'

export type { RedisWarningCode } from './redis/checks.ts'
export type {
  IoredisClient,
  IoredisCluster,
  NodeRedisClient,
  NodeRedisCluster,
  NodeRedisSentinel,
  RedisClient,
} from './redis/clients.ts'
export type { WaitReplicas } from './redis/replicas.ts'

export interface RedisStoreOptions {
  /** Stands in front of each record's id. Without `{`, records spread over a cluster. Default `'hapax:'`. */
  readonly prefix?: string
  /**
   * Wait after each claim and each completion until so many replicas have it. It narrows what a failover may
   * forget, and costs the time to the slowest of them. Default: no waiting.
   */
  readonly waitReplicas?: WaitReplicas
  /** Where warnings about the server's settings go. Default: `process.emitWarning`. */
  readonly logger?: Logger
  /** Codes of warnings not to give. */
  readonly silence?: readonly RedisWarningCode[]
}

/**
 * Keeps records in Redis 7.0 or later, or Valkey, for all instances of a service together.
 *
 * Takes a client of ioredis 5 or 6 (`Redis`, also behind Sentinel, or `Cluster`) or of node-redis 5 or 6
 * (`createClient`, `createSentinel` or `createCluster`, connected). The client stays yours: `close()` of the
 * store leaves it open. The store opens one more connection when the first duplicate waits for its winner.
 *
 * What Redis forgets, hapax can't know: see `docs/redis.md` for the settings that keep it from forgetting.
 *
 * @throws {IdempotencyError} `invalid-option`. The verbs reject with `store-failed`, with `store-full` where
 * Redis has reached its `maxmemory`, and with `store-closed` after `close()`.
 * @example
 * const once = idempotency({ store: redisStore(new Redis()), scope: (req) => req.user.id })
 * @example
 * const client = await createClient({ url }).on('error', log).connect()
 * const once = idempotency({ store: redisStore(client), scope: (req) => req.user.id })
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): Store {
  return new RedisStore(connectionOf(client), readOptions<Settings>(options, optionReaders))
}

interface Settings {
  prefix: string
  waitReplicas: { readonly count: number; readonly timeoutMs: number } | undefined
  logger: Logger
  silence: readonly RedisWarningCode[]
}

// Object.keys() loses the literal type of a constant's keys.
const warningCodes = Object.keys(redisWarningTexts) as RedisWarningCode[]

const optionReaders = {
  prefix: text('hapax:'),
  waitReplicas: readWaitReplicas,
  logger: objectWith<Logger>(['warn'], 'an object with a warn(message) method', () => processWarnings),
  silence: listOf(warningCodes, `codes (${warningCodes.join(', ')})`),
}

/** Renewals sent at once. A larger batch would hold up the claims behind it. */
const renewalsAtOnce = 500
/** Claims with a lease shorter than this may still be carried out so long after they were sent. */
const leastClaimWindowMs = 1_000

class RedisStore implements Store {
  readonly name = 'redis'
  readonly durable = true
  readonly inspect: Inspection
  readonly #settings: Settings
  readonly #connection: Connection
  readonly #keys: Keys
  readonly #scripting: Scripting
  readonly #subscriptions: Subscriptions
  readonly #clock = new ServerClock()
  #checked = false
  #closed = false

  constructor(connection: Connection, settings: Settings) {
    this.#settings = settings
    this.#connection = connection
    this.#keys = new Keys(settings.prefix, connection.keyPrefix)
    this.#scripting = new Scripting(connection, new Gate(connection))
    this.#subscriptions = new Subscriptions(connection)
    this.inspect = lateInspection({
      connection,
      scripting: this.#scripting,
      keys: this.#keys,
      assertOpen: () => this.#assertOpen(),
    })
  }

  async claim(request: ClaimRequest): Promise<ClaimResult> {
    this.#assertOpen()
    const windowMs = Math.max(request.leaseMs, leastClaimWindowMs)
    const sentMs = performance.now()
    const reply = await this.#sendClaim(request, windowMs)
    const result = reply.kind === 'result' ? reply.result : await this.#claimAgain(request, sentMs + windowMs)
    if (!this.#checked) this.#check()
    if (result.kind === 'claimed' && this.#settings.waitReplicas !== undefined) {
      await this.#waitForReplicas(request.id)
    }
    return result
  }

  async renew(leases: readonly HeldLease[]): Promise<readonly RenewResult[]> {
    this.#assertOpen()
    const results: RenewResult[] = []
    for (let start = 0; start < leases.length; start += renewalsAtOnce) {
      results.push(...(await this.#renewBatch(leases.slice(start, start + renewalsAtOnce))))
    }
    return results
  }

  async complete(lease: HeldLease, outcome: Outcome): Promise<WriteResult> {
    this.#assertOpen()
    const result = await this.#runComplete(this.#keys.keyOf(lease.id), lease, outcome)
    if (result === 'written' && this.#settings.waitReplicas !== undefined) {
      await this.#waitForReplicas(lease.id)
    }
    return result
  }

  async release(lease: HeldLease, { clean }: { readonly clean: boolean }): Promise<WriteResult> {
    this.#assertOpen()
    const args = [String(lease.token), clean ? '1' : '0']
    return writeResult(await this.#scripting.run(scripts.release, this.#keys.keyOf(lease.id), args))
  }

  async recordStep(lease: HeldLease, change: StepChange): Promise<WriteResult> {
    this.#assertOpen()
    const key = this.#keys.keyOf(lease.id)
    const result = await this.#runStep(key, lease, change)
    if (result === 'written') await this.#waitForReplicas(lease.id)
    return result
  }

  async abandon(id: string, owner: string): Promise<void> {
    this.#assertOpen()
    await this.#scripting.run(scripts.abandon, this.#keys.keyOf(id), [encodeOwner(owner)])
  }

  async watch(id: string, listener: () => void): Promise<Unsubscribe> {
    this.#assertOpen()
    const unsubscribe = await this.#subscriptions.add(this.#keys.channelOf(id), listener)
    try {
      await this.#scripting.run(scripts.watch, this.#keys.keyOf(id), [])
    } catch (error) {
      unsubscribe()
      throw error
    }
    return unsubscribe
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#subscriptions.close()
  }

  /**
   * It was not late at all, but this clock and the server's differ more than was known: it did not run, and the
   * reply told the server's time.
   */
  async #claimAgain(request: ClaimRequest, giveUpAtMs: number): Promise<ClaimResult> {
    const leftMs = giveUpAtMs - performance.now()
    const reply = leftMs > 0 ? await this.#sendClaim(request, leftMs) : undefined
    if (reply?.kind === 'result') return reply.result
    throw new IdempotencyError('store-failed', 'The claim reached Redis too late, and was not carried out.')
  }

  /**
   * Sends the claim with the time until which it may be carried out. A client that lost its connection may
   * send it when it has another, and by then the request was answered 503 long ago: it would lock the key for
   * a handler that never runs.
   */
  #sendClaim(request: ClaimRequest, windowMs: number): Promise<ClaimReply> {
    const args = claimArguments(request, Math.ceil(this.#clock.now() + windowMs))
    return this.#scripting.run(scripts.claim, this.#keys.keyOf(request.id), args).then((answer) => {
      const reply = readClaimReply(answer)
      if (reply.serverMs !== undefined) this.#clock.learn(reply.serverMs)
      return reply
    })
  }

  #runComplete(key: string, lease: HeldLease, outcome: Outcome): Promise<WriteResult> {
    const args = completeArguments(lease, outcome)
    return this.#runHeld(scripts.complete, key, args, lease).catch((error: unknown) => {
      if (!(error instanceof Error) || !isOutOfMemory(error.cause)) throw error
      // Refused before it ran. Without the body the record is as small as the claim that it replaces.
      const bodiless: Outcome =
        outcome.kind === 'unknown'
          ? outcome
          : { ...outcome, response: entombed(outcome.response, 'store-refused') }
      return this.#runHeld(scripts.completeWithoutMemory, key, completeArguments(lease, bodiless), lease)
    })
  }

  async #runStep(key: string, lease: HeldLease, change: StepChange): Promise<WriteResult> {
    try {
      return await this.#runHeld(scripts.step, key, stepArguments(lease, change), lease)
    } catch (error) {
      // A step that has not begun need not begin. One that ended must not look as if nobody knew its end.
      if (change.state === 'begun' || !(error instanceof Error) || !isOutOfMemory(error.cause)) throw error
      const bare: StepChange =
        change.state === 'undone' ? change : { ...change, result: { kind: 'not-kept' } }
      return this.#runHeld(scripts.stepWithoutMemory, key, stepArguments(lease, bare), lease)
    }
  }

  /** Runs a script of a claim's holder, and tells it whose claim it is only where the store forgot. */
  #runHeld(
    script: scripts.Script,
    key: string,
    args: readonly RedisArgument[],
    lease: HeldLease,
  ): Promise<WriteResult> {
    return this.#scripting.run(script, key, args).then((reply) => {
      if (numberIn(reply) !== needsLease) return writeResult(reply)
      return this.#scripting.run(script, key, [...args, leaseArgument(lease)]).then(writeResult)
    })
  }

  async #renewBatch(leases: readonly HeldLease[]): Promise<RenewResult[]> {
    const calls = leases.map((lease) => ({ key: this.#keys.keyOf(lease.id), args: renewArguments(lease) }))
    const replies = await this.#scripting.runAll(scripts.renew, calls)
    return Promise.all(
      leases.map(async (lease, index): Promise<RenewResult> => {
        const reply = replies[index]
        // One that failed fails the batch: the engine sends it again well before a lease ends.
        if (reply?.status !== 'fulfilled') throw reply?.reason
        if (numberIn(reply.value) !== needsLease) return renewResult(reply.value)
        const args = [...renewArguments(lease), leaseArgument(lease)]
        return renewResult(await this.#scripting.run(scripts.renew, this.#keys.keyOf(lease.id), args))
      }),
    )
  }

  async #waitForReplicas(id: string): Promise<void> {
    const { waitReplicas } = this.#settings
    if (waitReplicas === undefined) return
    await assertReplicas(this.#connection, this.#keys.keyOf(id), waitReplicas)
  }

  /** After the first claim, when the client is surely connected. */
  #check(): void {
    this.#checked = true
    checkServers(this.#connection, safely(this.#settings.logger), this.#settings.silence).catch(() => {})
  }

  #assertOpen(): void {
    if (!this.#closed) return
    throw new IdempotencyError(
      'store-closed',
      'The store made by redisStore() was closed and takes no more requests: close it after the server.',
    )
  }
}

/** The record is not there, and the script was not told whose claim it was. */
const needsLease = 2

function renewResult(reply: unknown): RenewResult {
  return numberIn(reply) === 1 ? 'renewed' : 'stale'
}

function writeResult(reply: unknown): WriteResult {
  return numberIn(reply) === 1 ? 'written' : 'stale'
}
