// The whole store contract through the real SDK on dynalite, which speaks DynamoDB's protocol.
import { afterAll, describe, test } from 'vitest'
import { startDynamodb } from '../../scripts/services/index.ts'
import { keyOf } from '../../src/stores/encoding/key.ts'
import { dynamodbStore } from '../../src/stores/dynamodb.ts'
import { testStore } from '../../src/testing/store.ts'
import { dynamodbClient, newTable } from '../support/dynamodb-places.ts'

const server = await startDynamodb()
// Two clients stand for two processes.
const clients = [dynamodbClient(server.endpoint), dynamodbClient(server.endpoint)] as const
const [control] = clients
afterAll(async () => {
  for (const client of clients) client.destroy()
  await server.stop()
})

const change = async (table: string, id: string, name: string, value: { S: string } | { N: string }) => {
  await control.updateItem({
    TableName: table,
    Key: { id: { S: keyOf(id) } },
    UpdateExpression: 'SET #name = :value',
    ExpressionAttributeNames: { '#name': name },
    ExpressionAttributeValues: { ':value': value },
  })
}

let turn = 0
// Each case has a table of its own, and most of its time is waiting for a lease to end.
testStore<string>(
  { describe, test: test.concurrent },
  {
    name: 'DynamoDB',
    capabilities: { shared: true, watch: true, inspect: true },
    longestBodyBytes: 390 * 1024,
    create: () => newTable(control),
    connect: (table) => {
      turn += 1
      // Leases of the contract are shorter than any skew, and there is one clock.
      return dynamodbStore(clients[turn % 2 === 0 ? 0 : 1], { table, clockSkew: 0, pollEvery: 50 })
    },
    corrupt: (table, id) => change(table, id, 'state', { S: 'paused' }),
    makeNewer: (table, id) => change(table, id, 'format', { N: '2' }),
  },
)
