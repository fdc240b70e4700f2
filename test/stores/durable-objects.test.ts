// What needs no runtime. The contract, and what is special, run in workerd: `npm run test:long`.
import { describe, expect, test } from 'vitest'
import { pack, unpack } from '../../src/stores/durable-objects/wire.ts'
import { durableObjectStore, type RecordsNamespace } from '../../src/stores/durable-objects.ts'

const refused = (sentence: RegExp) =>
  expect.objectContaining({ code: 'invalid-option', message: expect.stringMatching(sentence) })

const namespace: RecordsNamespace = {
  idFromName: (name) => name,
  get: () => ({ fetch: () => Promise.reject(new Error('There is no object here.')) }),
}

test.each([undefined, {}, { get: () => {} }])('%s is no binding, and is refused', (value) => {
  // What a caller without types may give.
  expect(() => durableObjectStore(value as never)).toThrow(refused(/env\.HAPAX/))
})

test.each([0, -1, 1.5, '16'])('a number of objects of %s is refused', (objects) => {
  expect(() => durableObjectStore(namespace, { objects } as never)).toThrow(refused(/"objects" must be/))
})

test.each(['', 'x', '16.', '-1.', '0.+'])('the cursor %s is none of an earlier page', async (cursor) => {
  const store = durableObjectStore(namespace)
  await expect(store.inspect?.list({ limit: 1, cursor })).rejects.toEqual(refused(/"cursor"/))
})

describe('a message', () => {
  test('comes back with its bytes, whatever they are part of', () => {
    const pool = Buffer.from('<<<bytes>>>')
    const message = {
      text: '\ud83d "$bytes" \0',
      bodies: [Uint8Array.of(0, 255), pool.subarray(3, 8), new Uint8Array()],
      deep: { body: Uint8Array.of(7), nothing: undefined, none: null },
    }
    const copy = unpack<typeof message>(pack(message))
    expect(copy.text).toBe(message.text)
    expect(copy.bodies.map((body) => [...body])).toEqual([[0, 255], [...Buffer.from('bytes')], []])
    expect(copy.deep).toEqual({ body: Uint8Array.of(7), none: null })
  })
})
