import { DynamoDBClient } from '@aws-sdk/client-dynamodb'

export const table = 'idempotency'

/** A client of the DynamoDB on this machine, which takes any credentials. */
export const dynamodb = new DynamoDBClient({
  endpoint: process.env.DYNAMODB_URL,
  region: 'eu-central-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
})
