// One caller never receives, blocks or learns of another caller's record.
import { randomUUID } from 'node:crypto'
import { afterAll, describe, expect, test } from 'vitest'
import { createIdempotency } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import type { AdapterOptions } from '../../src/testing/adapter.ts'
import { counter, post } from '../../src/testing/adapter/subject.ts'
import { deferred } from '../support/deferred.ts'
import { nodeSubject } from '../support/adapters/node.ts'
import { servers } from '../support/servers.ts'
import { countingStore } from '../support/stores.ts'
import { legibleStores } from './stores.ts'

const scope: AdapterOptions['scope'] = (view) => view.header('x-user')

/** Pairs whose plain concatenation is one text. */
const lookAlikes = [
  ['a', 'bc'],
  ['ab', 'c'],
  ['a:b', 'c'],
  ['a', 'b:c'],
  ['1', '11'],
  ['11', '1'],
  ['__proto__', 'k'],
  ['constructor', 'k'],
] as const

for (const [name, open] of Object.entries(legibleStores)) {
  const place = await servers(open)
  if (place === undefined) continue
  const { store, close } = place
  afterAll(close)

  describe(name, () => {
    test('no scope and key reach the record of another scope and key', async () => {
      const { handler, runs } = counter()
      const server = await nodeSubject.start({ store, scope }, handler)
      try {
        for (const [user, key] of lookAlikes) expect((await post(server, { user, key })).status).toBe(201)
        expect(runs()).toBe(lookAlikes.length)
        for (const [index, [user, key]] of lookAlikes.entries()) {
          expect((await post(server, { user, key })).body.toString()).toBe(`{"run":${index + 1}}`)
        }
        expect(runs()).toBe(lookAlikes.length)
      } finally {
        await server.close()
      }
    })

    test('a run of one caller does not hold up another with the same key', async () => {
      const slow = deferred()
      const server = await nodeSubject.start({ store, scope }, async ({ header }) => {
        if (header('x-user') === 'slow') await slow.promise
        return { kind: 'json', status: 201, value: {} }
      })
      try {
        const key = randomUUID()
        const first = post(server, { user: 'slow', key })
        const other = await post(server, { user: 'quick', key, value: { another: 'payload' } })
        expect(other.status).toBe(201)
        slow.resolve()
        expect((await first).status).toBe(201)
      } finally {
        await server.close()
      }
    })
  })
}

describe('whether a key is known to another caller can not be told', () => {
  test('by what is asked of the store', async () => {
    const { store, calls } = countingStore(memoryStore())
    const once = createIdempotency({ store })
    const callsFor = async (key: string) => {
      const before = { ...calls }
      await once.run({ scope: 'mallory', key, payload: 1 }, async () => 1)
      return Object.fromEntries(
        Object.entries(calls).map(([verb, times]) => [verb, times - Object(before)[verb]]),
      )
    }
    await once.run({ scope: 'alice', key: 'known', payload: 1 }, async () => 1)
    expect(await callsFor('known')).toEqual(await callsFor('unknown'))
    await once.close()
  })

  test('by how long it takes', async () => {
    const once = createIdempotency({ store: memoryStore({ maxRecords: 100_000 }) })
    const keys = Array.from({ length: 3_000 }, () => randomUUID())
    for (const key of keys) await once.run({ scope: 'alice', key, payload: 1 }, async () => 1)
    const [foreign, unknown]: [number[], number[]] = [[], []]
    // In turn, so that whatever else the machine does falls on both.
    for (const key of keys) {
      foreign.push(await timed(once, key))
      unknown.push(await timed(once, randomUUID()))
    }
    const ratio = median(foreign) / median(unknown)
    expect(ratio).toBeGreaterThan(0.5)
    expect(ratio).toBeLessThan(2)
    await once.close()
  })
})

async function timed(once: ReturnType<typeof createIdempotency>, key: string): Promise<number> {
  const startMs = performance.now()
  await once.run({ scope: 'mallory', key, payload: 1 }, async () => 1)
  return performance.now() - startMs
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
