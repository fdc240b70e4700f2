// What the store needs of the AWS SDK, in its own words. The SDK is not imported: the user brings it.
import { invalidOption } from '../../core/errors.ts'

/** `new DynamoDB(…)` of `@aws-sdk/client-dynamodb` 3. */
export interface DynamodbClient {
  getItem(input: GetItem): Promise<{ readonly Item?: Item | undefined }>
  putItem(input: PutItem): Promise<unknown>
  batchGetItem(input: BatchGetItem): Promise<BatchGetItemReply>
  scan(input: Scan): Promise<ScanReply>
}

/** The types of DynamoDB: text, a number as text, bytes. */
export type AttributeValue = { S: string } | { N: string } | { B: Uint8Array }

/** As it comes back: nobody has checked it yet. */
export type Item = Record<string, object>

type Key = Record<string, { S: string }>

export interface GetItem {
  TableName: string
  Key: Key
  ConsistentRead: true
}

export interface PutItem {
  TableName: string
  Item: Record<string, AttributeValue>
  ConditionExpression: string
  ExpressionAttributeNames: Record<string, string>
  ExpressionAttributeValues?: Record<string, AttributeValue>
  ReturnValuesOnConditionCheckFailure: 'ALL_OLD'
}

interface KeysAndAttributes {
  Keys: Key[]
  ConsistentRead: true
  ProjectionExpression: string
  ExpressionAttributeNames: Record<string, string>
}

export interface BatchGetItem {
  RequestItems: Record<string, KeysAndAttributes>
}

export interface BatchGetItemReply {
  readonly Responses?: Record<string, Item[]> | undefined
}

export interface Scan {
  TableName: string
  ConsistentRead: true
  Limit: number
  ProjectionExpression: string
  ExpressionAttributeNames: Record<string, string>
  ExclusiveStartKey?: Key
}

export interface ScanReply {
  readonly Items?: Item[] | undefined
  readonly LastEvaluatedKey?: Item | undefined
}

export function requireClient(client: DynamodbClient): DynamodbClient {
  const isObject = typeof client === 'object' && client !== null
  const has = (name: string) => isObject && typeof Reflect.get(client, name) === 'function'
  if (['getItem', 'putItem', 'batchGetItem', 'scan'].every(has)) return client
  throw invalidOption(
    'client',
    'new DynamoDB(…) of "@aws-sdk/client-dynamodb" (not DynamoDBClient, whose commands would have to be imported here)',
    isObject ? client.constructor.name : client,
  )
}
