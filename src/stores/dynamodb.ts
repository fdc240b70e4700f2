import { invalidOption } from '../core/errors.ts'
import { duration, type Reader, readOptions } from '../core/option-readers.ts'
import type { Store } from '../core/store.ts'
import type { Duration } from '../protocol/duration.ts'
import { DynamodbCells } from './dynamodb/cells.ts'
import { type DynamodbClient, requireClient } from './dynamodb/clients.ts'
import { SwapStore } from './remote/swap-store.ts'

export type { DynamodbClient } from './dynamodb/clients.ts'

export interface DynamodbStoreOptions {
  /** The table: one key, `id`, a string. TTL on the attribute `expires` deletes what expired. */
  readonly table: string
  /**
   * By how much the clocks of two instances may differ: DynamoDB tells no time. A lease lasts longer by it in the eyes
   * of others, so that a clock that is ahead takes over from nobody who lives. Default: `'2s'`.
   */
  readonly clockSkew?: Duration
  /** How often watched records are asked for while somebody waits, a hundred in each request. Default: `'250ms'`. */
  readonly pollEvery?: Duration
}

/**
 * Keeps records in a table of DynamoDB, for all instances of a service together. Every write is conditional.
 *
 * Takes `new DynamoDB(…)` of `@aws-sdk/client-dynamodb` 3, which stays yours. `docs/dynamodb.md` shows the table, the
 * rights, and what there being no common clock means.
 *
 * @throws {IdempotencyError} `invalid-option`. The verbs reject with `store-failed`, with `store-full` where a step
 * finds no room in its record, and with `store-closed` after `close()`.
 * @example
 * const store = dynamodbStore(new DynamoDB({}), { table: 'hapax' })
 * const once = idempotency({ store, scope: (req) => req.user.id })
 */
export function dynamodbStore(client: DynamodbClient, options: DynamodbStoreOptions): Store {
  const { table, clockSkew, pollEvery } = readOptions<Settings>(options, optionReaders)
  return new SwapStore(new DynamodbCells(requireClient(client), table), {
    name: 'dynamodb',
    factory: 'dynamodbStore',
    pollEveryMs: pollEvery,
    clockSkewMs: clockSkew,
    onClose: () => {},
  })
}

interface Settings {
  readonly table: string
  readonly clockSkew: number
  readonly pollEvery: number
}

const tableName: Reader<string> = (value, option) => {
  if (typeof value === 'string' && value !== '') return value
  throw invalidOption(option, 'the name of a table', value)
}

const optionReaders = {
  table: tableName,
  clockSkew: duration(2_000, 0),
  pollEvery: duration(250),
}
