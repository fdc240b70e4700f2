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
import type { RedisArgument, RedisClient } from './redis/clients.ts'
import { type Connection, connectionOf } from './redis/connection.ts'
import { Gate } from './redis/gate.ts'
import { encodeOwner } from './redis/identity.ts'
import { Keys } from './redis/keys.ts'
import { lateInspection } from './redis/late-inspection.ts'
import { numberIn, readClaimReply } from './redis/replies.ts'
import { assertReplicas, readWaitReplicas, type WaitReplicas } from './redis/replicas.ts'
import { Scripting } from './redis/scripting.ts'
import * as scripts from './redis/scripts.ts'
import { ServerClock } from './remote/server-clock.ts'
import type { Subscriptions } from './redis/subscriptions.ts'
import { type RedisWarningCode, redisWarningCodes } from './redis/warning-codes.ts'

export type { RedisWarningCode } from './redis/warning-codes.ts'
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

const optionReaders = {
  prefix: text('hapax:'),
  waitReplicas: readWaitReplicas,
  logger: objectWith<Logger>(['warn'], 'an object with a warn(message) method', () => processWarnings),
  silence: listOf(redisWarningCodes, `codes (${redisWarningCodes.join(', ')})`),
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
  readonly #clock = new ServerClock()
  #subscriptions: Promise<Subscriptions> | undefined
  #checked = false
  #closed = false

  constructor(connection: Connection, settings: Settings) {
    this.#settings = settings
    this.#connection = connection
    this.#keys = new Keys(settings.prefix, connection.keyPrefix)
    this.#scripting = new Scripting(connection, new Gate(connection))
    this.inspect = lateInspection({
      connection,
      scripting: this.#scripting,
      keys: this.#keys,
      assertOpen: () => this.#assertOpen(),
    })
  }

  // Neither a claim nor a completion is an async function: each request passes through both.
  claim(request: ClaimRequest): Promise<ClaimResult> {
    try {
      this.#assertOpen()
      const windowMs = Math.max(request.leaseMs, leastClaimWindowMs)
      const giveUpAtMs = performance.now() + windowMs
      return this.#sendClaim(request, windowMs, () => this.#claimAgain(request, giveUpAtMs))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async renew(leases: readonly HeldLease[]): Promise<readonly RenewResult[]> {
    this.#assertOpen()
    const results: RenewResult[] = []
    for (let start = 0; start < leases.length; start += renewalsAtOnce) {
      results.push(...(await this.#renewBatch(leases.slice(start, start + renewalsAtOnce))))
    }
    return results
  }

  complete(lease: HeldLease, outcome: Outcome): Promise<WriteResult> {
    try {
      this.#assertOpen()
      const written = this.#runComplete(lease, outcome)
      return this.#settings.waitReplicas === undefined ? written : this.#replicated(written, lease.id)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  async release(lease: HeldLease, { clean }: { readonly clean: boolean }): Promise<WriteResult> {
    this.#assertOpen()
    const args = [String(lease.token), clean ? '1' : '0']
    return this.#run(scripts.release, lease.id, args, writeResult)
  }

  async recordStep(lease: HeldLease, change: StepChange): Promise<WriteResult> {
    this.#assertOpen()
    return this.#replicated(this.#runStep(lease, change), lease.id)
  }

  async abandon(id: string, owner: string): Promise<void> {
    this.#assertOpen()
    await this.#run(scripts.abandon, id, [encodeOwner(owner)], ignore)
  }

  async watch(id: string, listener: () => void): Promise<Unsubscribe> {
    this.#assertOpen()
    this.#subscriptions ??= this.#loadSubscriptions()
    const subscriptions = await this.#subscriptions
    const unsubscribe = await subscriptions.add(this.#keys.channelOf(id), listener)
    try {
      await this.#run(scripts.watch, id, [], ignore)
    } catch (error) {
      unsubscribe()
      throw error
    }
    return unsubscribe
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    const subscriptions = await this.#subscriptions?.catch(ignore)
    await subscriptions?.close()
  }

  #claimed(request: ClaimRequest, result: ClaimResult): ClaimResult | Promise<ClaimResult> {
    if (result.kind !== 'claimed' || this.#settings.waitReplicas === undefined) return result
    return this.#waitForReplicas(request.id).then(() => result)
  }

  /**
   * It was not late at all, but this clock and the server's differ more than was known: it did not run, and the
   * reply told the server's time.
   */
  #claimAgain(request: ClaimRequest, giveUpAtMs: number): Promise<ClaimResult> {
    const leftMs = giveUpAtMs - performance.now()
    return leftMs > 0 ? this.#sendClaim(request, leftMs, tooLate) : tooLate()
  }

  /**
   * Sends the claim with the time until which it may be carried out. A client that lost its connection may
   * send it when it has another, and by then the request was answered 503 long ago: it would lock the key for
   * a handler that never runs.
   */
  #sendClaim(
    request: ClaimRequest,
    windowMs: number,
    onLate: () => Promise<ClaimResult>,
  ): Promise<ClaimResult> {
    const args = claimArguments(request, Math.ceil(this.#clock.now() + windowMs))
    return this.#run(scripts.claim, request.id, args, (answer) => {
      const reply = readClaimReply(answer)
      if (reply.serverMs !== undefined) this.#clock.learn(reply.serverMs)
      if (!this.#checked) this.#check()
      return reply.kind === 'too-late' ? onLate() : this.#claimed(request, reply.result)
    })
  }

  #runComplete(lease: HeldLease, outcome: Outcome): Promise<WriteResult> {
    return this.#runHeld(scripts.complete, lease, completeArguments(lease, outcome), () => {
      // Refused before it ran. Without the body the record is as small as the claim that it replaces.
      const bodiless: Outcome =
        outcome.kind === 'unknown'
          ? outcome
          : { ...outcome, response: entombed(outcome.response, 'store-refused') }
      return this.#runHeld(scripts.completeWithoutMemory, lease, completeArguments(lease, bodiless))
    })
  }

  #runStep(lease: HeldLease, change: StepChange): Promise<WriteResult> {
    const args = stepArguments(lease, change)
    // A step that has not begun need not begin. One that ended must not look as if nobody knew its end.
    if (change.state === 'begun') return this.#runHeld(scripts.step, lease, args)
    return this.#runHeld(scripts.step, lease, args, () => {
      const bare: StepChange =
        change.state === 'undone' ? change : { ...change, result: { kind: 'not-kept' } }
      return this.#runHeld(scripts.stepWithoutMemory, lease, stepArguments(lease, bare))
    })
  }

  /** Runs a script of a claim's holder, and tells it whose claim it is only where the store forgot. */
  #runHeld(
    script: scripts.Script,
    lease: HeldLease,
    args: readonly RedisArgument[],
    onFull?: () => Promise<WriteResult>,
  ): Promise<WriteResult> {
    const read = (reply: unknown) =>
      numberIn(reply) === needsLease
        ? this.#run(script, lease.id, [...args, leaseArgument(lease)], writeResult, onFull)
        : writeResult(reply)
    return this.#run(script, lease.id, args, read, onFull)
  }

  #run<T>(
    script: scripts.Script,
    id: string,
    args: readonly RedisArgument[],
    read: (reply: unknown) => T | Promise<T>,
    onFull?: () => Promise<T>,
  ): Promise<T> {
    return this.#scripting.run({ script, key: this.#keys.keyOf(id), args, read, onFull })
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
        return this.#run(scripts.renew, lease.id, args, renewResult)
      }),
    )
  }

  async #replicated(writing: Promise<WriteResult>, id: string): Promise<WriteResult> {
    const result = await writing
    if (result === 'written') await this.#waitForReplicas(id)
    return result
  }

  async #waitForReplicas(id: string): Promise<void> {
    const { waitReplicas } = this.#settings
    if (waitReplicas === undefined) return
    await assertReplicas(this.#connection, this.#keys.keyOf(id), waitReplicas)
  }

  /** Most stores meet no duplicate that waits. Whoever waits polls where the file can't be loaded. */
  async #loadSubscriptions(): Promise<Subscriptions> {
    try {
      const { Subscriptions } = await import('./redis/subscriptions.ts')
      return new Subscriptions(this.#connection)
    } catch (error) {
      this.#subscriptions = undefined
      throw error
    }
  }

  /** After the first claim, when the client is surely connected. */
  #check(): void {
    this.#checked = true
    const { logger, silence } = this.#settings
    import('./redis/checks.ts')
      .then(({ checkServers }) => checkServers(this.#connection, safely(logger), silence))
      .catch(ignore)
  }

  #assertOpen(): void {
    if (!this.#closed) return
    throw new IdempotencyError(
      'store-closed',
      'The store made by redisStore() was closed and takes no more requests: close it after the server.',
    )
  }
}

async function tooLate(): Promise<never> {
  throw new IdempotencyError('store-failed', 'The claim reached Redis too late, and was not carried out.')
}

function ignore(): void {}

/** The record is not there, and the script was not told whose claim it was. */
const needsLease = 2

function renewResult(reply: unknown): RenewResult {
  return numberIn(reply) === 1 ? 'renewed' : 'stale'
}

function writeResult(reply: unknown): WriteResult {
  return numberIn(reply) === 1 ? 'written' : 'stale'
}
