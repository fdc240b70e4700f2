import type { Duration } from '../../protocol/duration.ts'
import { IdempotencyError, invalidOption } from '../../core/errors.ts'
import { duration, readOptions, wholeNumber } from '../../core/option-readers.ts'
import type { RedisCommand } from './clients.ts'
import type { Connection } from './connection.ts'
import { storeError } from './errors.ts'
import { numberIn } from './replies.ts'

export interface WaitReplicas {
  /** How many replicas must have acknowledged. */
  readonly count: number
  /** How long to wait for them; then the store counts as down for this request. Default `'1s'`. */
  readonly timeout?: Duration
}

interface Wait {
  readonly count: number
  readonly timeoutMs: number
}

export function readWaitReplicas(value: unknown, option: string): Wait | undefined {
  if (value === undefined) return undefined
  if (typeof value !== 'object' || value === null) throw invalidOption(option, '{ count, timeout }', value)
  const { count, timeout } = readOptions<{ count: number; timeout: number }>(value, {
    count: wholeNumber(1, 1),
    timeout: duration(1_000),
  })
  return { count, timeoutMs: timeout }
}

/** WAIT, on the connection that wrote. https://redis.io/docs/latest/commands/wait/ */
export async function assertReplicas(connection: Connection, key: string, wait: Wait): Promise<void> {
  const command: RedisCommand = ['WAIT', String(wait.count), String(Math.ceil(wait.timeoutMs))]
  const acknowledged = numberIn(await replyOrError(connection.sendBeside(key, command)))
  if (acknowledged >= wait.count) return
  throw new IdempotencyError(
    'store-failed',
    `Only ${acknowledged} of ${wait.count} replicas acknowledged within ${wait.timeoutMs} ms (waitReplicas).`,
  )
}

async function replyOrError(reply: Promise<unknown>): Promise<unknown> {
  try {
    return await reply
  } catch (error) {
    throw storeError(error)
  }
}
