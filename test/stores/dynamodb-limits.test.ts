// What is special about DynamoDB: replies that get lost, clocks that differ, and items that are too large.
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { afterAll, describe, expect, test } from 'vitest'
import { startDynamodb } from '../../scripts/services/index.ts'
import { idempotencyOver } from '../../src/core/idempotency.ts'
import { keyOf } from '../../src/stores/encoding/key.ts'
import { type DynamodbClient, dynamodbStore } from '../../src/stores/dynamodb.ts'
import { dynamodbClient, newTable } from '../support/dynamodb-places.ts'
import { anyVerbs, assertFollowsRules, verbsAfterForgetting } from '../support/store-model.ts'
import { answer, requestFor } from './requests.ts'
import { mustClaim, replayed } from './verbs.ts'

const server = await startDynamodb()
const client = dynamodbClient(server.endpoint)
const table = await newTable(client)
afterAll(async () => {
  client.destroy()
  await server.stop()
})

const refused = (sentence: RegExp) =>
  expect.objectContaining({ code: 'invalid-option', message: expect.stringMatching(sentence) })

test.each([undefined, {}, new DynamoDBClient({ region: 'x' })])(
  '%s is no client, and is refused',
  (value) => {
    // What a caller without types may give.
    expect(() => dynamodbStore(value as never, { table })).toThrow(refused(/new DynamoDB/))
  },
)

test('a table must be named', () => {
  expect(() => dynamodbStore(client, { table: '' })).toThrow(refused(/"table" must be the name of a table/))
})

test('a table that is not there: the error names the cure', async () => {
  const store = dynamodbStore(client, { table: 'nowhere' })
  await expect(store.claim(requestFor('k'))).rejects.toMatchObject({
    code: 'store-failed',
    message: expect.stringMatching(/nowhere.*docs\/dynamodb\.md/),
  })
  await store.close()
})

describe('the rules', () => {
  const store = dynamodbStore(client, { table, clockSkew: 0 })
  afterAll(() => store.close())
  const modelled = { store, keepsTokens: true }
  test('random verbs do what the rules say', () => assertFollowsRules(modelled, anyVerbs(), 40))
  test('random verbs on a store that forgot later claims do what the rules say', () =>
    assertFollowsRules(modelled, verbsAfterForgetting(), 40))
})

test('two requests to DynamoDB for a first request, one for a refusal or a replay as DynamoDB answers it', async () => {
  let requests = 0
  const counting = dynamodbClient(server.endpoint)
  counting.middlewareStack.add((next) => (given) => ((requests += 1), next(given)), {
    step: 'finalizeRequest',
  })
  const during = async (work: () => Promise<unknown>) => {
    requests = 0
    await work()
    return requests
  }
  const own = dynamodbStore(withOldItems(counting), { table })
  const guard = idempotencyOver({ store: own }, () => own)
  const key = randomUUID()
  const run = (payload = 'same') => guard.run({ key, scope: false, payload }, async () => ({ charged: key }))
  expect(await during(() => run())).toBe(2)
  expect(await during(() => run())).toBe(1)
  expect(await during(() => expect(run('other')).rejects.toMatchObject({ code: 'key-reused' }))).toBe(1)
  await guard.close()
  counting.destroy()
})

test('a claim whose reply was lost, and that the SDK sent again, is granted once', async () => {
  const losing = dynamodbClient(server.endpoint)
  let lost = 0
  losing.middlewareStack.add(
    (next) => async (given) => {
      const reply = await next(given)
      if (lost > 0) return reply
      lost += 1
      throw Object.assign(new Error('the connection broke'), { name: 'TimeoutError', $retryable: {} })
    },
    { step: 'finalizeRequest', priority: 'low' },
  )
  const store = dynamodbStore(losing, { table })
  const request = requestFor(randomUUID())
  expect(await store.claim(request)).toMatchObject({ kind: 'claimed', attempt: 1 })
  expect(lost).toBe(1)
  expect((await store.claim(requestFor(request.id))).kind).toBe('running')
  await store.close()
  losing.destroy()
})

test('a clock that is ahead by the skew takes over from nobody who lives', async () => {
  const policy = { recovery: 'rerun', retainMs: 60_000, retainUnknownMs: 60_000 } as const
  const [careful, hasty] = [
    dynamodbStore(client, { table, clockSkew: 400 }),
    dynamodbStore(client, { table, clockSkew: 0 }),
  ]
  const [lasting, short] = [
    await mustClaim(careful, randomUUID(), { policy, leaseMs: 20 }),
    await mustClaim(hasty, randomUUID(), { policy, leaseMs: 20 }),
  ]
  await sleep(60)
  // To its clock both leases are over; the first was given for longer.
  expect((await hasty.claim(requestFor(lasting.id, { policy }))).kind).toBe('running')
  expect((await hasty.claim(requestFor(short.id, { policy }))).kind).toBe('claimed')
  await sleep(450)
  expect((await hasty.claim(requestFor(lasting.id, { policy }))).kind).toBe('claimed')
  await Promise.all([careful.close(), hasty.close()])
})

test('a step that finds no room is not kept, and a mark that finds none rejects', async () => {
  const store = dynamodbStore(client, { table })
  const lease = await mustClaim(store, randomUUID())
  const finished = (name: string, length: number) =>
    ({ state: 'finished', name, result: { kind: 'json', json: JSON.stringify('x'.repeat(length)) } }) as const
  expect(await store.recordStep(lease, finished('large', 500_000))).toBe('written')
  expect(await store.recordStep(lease, finished('fits', 300_000))).toBe('written')
  const mark = { state: 'begun', name: 'x'.repeat(200_000), safe: false } as const
  await expect(store.recordStep(lease, mark)).rejects.toMatchObject({
    code: 'store-full',
    message: expect.stringMatching(/400 KiB/),
  })
  const found = await store.inspect?.get(lease.id)
  const steps = found?.state === 'running' && found.record.state === 'running' ? found.record.steps : []
  expect(steps?.map((step) => step.state === 'finished' && step.result.kind)).toEqual(['not-kept', 'json'])
  expect(await store.complete(lease, answer(Buffer.alloc(500_000)))).toBe('written')
  expect(await replayed(store, lease.id)).toBe('(tombstone store-refused)')
  await store.close()
})

test('the time after which DynamoDB deletes an item is an hour after the record expired', async () => {
  const store = dynamodbStore(client, { table })
  const lease = await mustClaim(store, randomUUID())
  await store.complete(lease, answer('x'))
  const { Item } = await client.getItem({ TableName: table, Key: { id: { S: keyOf(lease.id) } } })
  const seconds = Number(Item?.['expires']?.N)
  expect(seconds - Math.ceil(Number(Item?.['expires_at_ms']?.N) / 1000)).toBe(3_600)
  await store.close()
})

/** DynamoDB tells in its refusal what stands there, which dynalite leaves out. Its item is read out of count. */
function withOldItems(counted: DynamodbClient): DynamodbClient {
  return {
    getItem: (input) => counted.getItem(input),
    batchGetItem: (input) => counted.batchGetItem(input),
    scan: (input) => counted.scan(input),
    async putItem(input) {
      try {
        return await counted.putItem(input)
      } catch (error) {
        const { Item } = await client.getItem({
          TableName: input.TableName,
          Key: { id: { S: 'S' in (input.Item['id'] ?? {}) ? Reflect.get(input.Item['id'] ?? {}, 'S') : '' } },
        })
        throw Object.assign(Object(error), { Item })
      }
    },
  }
}
