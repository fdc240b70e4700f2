import { keyOf } from '../encoding/key.ts'
import { type Cells, type Found, type HeadPage, type Put, RecordTooLarge } from '../remote/cells.ts'
import type { DynamodbClient, Item } from './clients.ts'
import { isTooLarge, refusedBy, storeError } from './errors.ts'
import { cellIn, headIn, isStanding, itemOf, names, stampIn, standingValues, textIn } from './items.ts'

const headsAtOnce = 500
/** DynamoDB's own limit. */
const stampsAtOnce = 100

/** One item for each record. Reads are consistent: the others could miss a claim that was just acknowledged. */
export class DynamodbCells implements Cells {
  readonly #client: DynamodbClient
  readonly #table: string

  constructor(client: DynamodbClient, table: string) {
    this.#client = client
    this.#table = table
  }

  async ready(): Promise<void> {}

  /** DynamoDB tells no time: this machine's clock, which must agree with the others' to within `clockSkew`. */
  now(): number {
    return Date.now()
  }

  async read(id: string): Promise<Found> {
    const { Item } = await this.#explained(
      this.#client.getItem({ TableName: this.#table, Key: { id: { S: keyOf(id) } }, ConsistentRead: true }),
    )
    return this.#found(Item)
  }

  async put(put: Put): Promise<Found | undefined> {
    const { expected } = put
    try {
      await this.#client.putItem({
        TableName: this.#table,
        Item: itemOf(put),
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        ...(expected === undefined
          ? { ConditionExpression: 'attribute_not_exists(#id)', ExpressionAttributeNames: { '#id': 'id' } }
          : {
              ConditionExpression: isStanding,
              ExpressionAttributeNames: standingNames,
              ExpressionAttributeValues: standingValues(expected),
            }),
      })
      return undefined
    } catch (error) {
      const refused = refusedBy(error)
      if (refused?.item !== undefined) return this.#found(refused.item)
      // Nothing stands there; or what speaks DynamoDB's protocol does not tell.
      if (refused !== undefined) return this.read(put.record.id)
      if (isTooLarge(error)) throw new RecordTooLarge('A record is more than DynamoDB takes.')
      if (error instanceof RecordTooLarge) throw error
      throw storeError(error, this.#table)
    }
  }

  /** There is no conditional write of many items that goes on where one is refused. */
  async extend(puts: readonly Put[]): Promise<readonly boolean[]> {
    const results = await Promise.allSettled(puts.map((put) => this.put(put)))
    return results.map((result) => result.status === 'fulfilled' && result.value === undefined)
  }

  async stamps(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const stamps = new Map<string, string>()
    for (let start = 0; start < ids.length; start += stampsAtOnce) {
      const some = ids.slice(start, start + stampsAtOnce)
      const byKey = new Map((await this.#heads(some)).map((item) => [textIn(item, 'id'), stampIn(item)]))
      for (const id of some) {
        const stamp = byKey.get(keyOf(id))
        if (stamp !== undefined) stamps.set(id, stamp)
      }
    }
    return stamps
  }

  async heads(after: string | undefined): Promise<HeadPage> {
    const { Items = [], LastEvaluatedKey } = await this.#explained(
      this.#client.scan({
        TableName: this.#table,
        ConsistentRead: true,
        Limit: headsAtOnce,
        ProjectionExpression: '#id, #state, #detail',
        ExpressionAttributeNames: { '#id': 'id', '#state': 'state', '#detail': 'detail' },
        ...(after !== undefined && { ExclusiveStartKey: { id: { S: after } } }),
      }),
    )
    return {
      heads: Items.map(headIn),
      ...(LastEvaluatedKey !== undefined && { next: textIn(LastEvaluatedKey, 'id') }),
    }
  }

  /** No operation holds a record for longer than it runs. */
  isHeld(): boolean {
    return false
  }

  /** Some may be missing while the table is busy: their watchers look for themselves. */
  async #heads(ids: readonly string[]): Promise<readonly Item[]> {
    const { Responses } = await this.#explained(
      this.#client.batchGetItem({
        RequestItems: {
          [this.#table]: {
            Keys: ids.map((id) => ({ id: { S: keyOf(id) } })),
            ConsistentRead: true,
            ProjectionExpression: '#id, #state, #token, #format',
            ExpressionAttributeNames: stampNames,
          },
        },
      }),
    )
    return Responses?.[this.#table] ?? []
  }

  #found(item: unknown): Found {
    return { nowMs: this.now(), ...(item !== undefined && { cell: cellIn(item) }) }
  }

  async #explained<T>(reply: Promise<T>): Promise<T> {
    try {
      return await reply
    } catch (error) {
      throw storeError(error, this.#table)
    }
  }
}

const { '#id': _, ...standingNames } = names
const { '#revision': __, ...stampNames } = names
