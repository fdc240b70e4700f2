import { randomUUID } from 'node:crypto'
import { DynamoDB } from '@aws-sdk/client-dynamodb'

export function dynamodbClient(endpoint: string): DynamoDB {
  return new DynamoDB({
    endpoint,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })
}

export async function newTable(client: DynamoDB): Promise<string> {
  const table = `hapax-${randomUUID()}`
  await client.createTable({
    TableName: table,
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
    BillingMode: 'PAY_PER_REQUEST',
  })
  return table
}
