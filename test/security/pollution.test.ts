// Names that mean something to JavaScript are names like any other.
import { afterEach, describe, expect, test } from 'vitest'
import { idempotency } from '../../src/adapters/node.ts'
import { createIdempotency } from '../../src/index.ts'
import { canonicalJson } from '../../src/protocol/canonical-json.ts'
import { sendable } from '../../src/http/sendable.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { decodeResponse as decodeRedis } from '../../src/stores/redis/encoding.ts'
import { decodeResponse as decodeSqlite } from '../../src/stores/encoding/envelope.ts'
import { counter } from '../../src/testing/adapter/subject.ts'
import { nodeSubject } from '../support/adapters/node.ts'
import { exchange } from '../support/raw-http.ts'

const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'toJSON', 'then']
const untouched = JSON.stringify(Object.getOwnPropertyNames(Object.prototype))

afterEach(() => {
  expect(JSON.stringify(Object.getOwnPropertyNames(Object.prototype))).toBe(untouched)
  expect(Reflect.get({}, 'polluted')).toBeUndefined()
})

describe('bodies', () => {
  const texts = names.map((name) => `{"${name}":{"polluted":true}}`)

  test('differ by such members', () => {
    const forms = [...texts, '{}', '{"__proto__":{"polluted":false}}', '{"__proto__":null}'].map((text) =>
      canonicalJson(Buffer.from(text))?.toString(),
    )
    expect(new Set(forms).size).toBe(forms.length)
  })

  test('with them are requests of their own', async () => {
    const { handler, runs } = counter()
    const server = await nodeSubject.start({ scope: false }, handler)
    const ask = async (body: string) => {
      const headers = [
        ['Content-Type', 'application/json'],
        ['Idempotency-Key', 'k'],
      ] as const
      return (await exchange(server.port, { headers, body })).status
    }
    try {
      expect(await ask('{}')).toBe(201)
      for (const text of texts) expect(await ask(text)).toBe(422)
      expect(await ask(' { } ')).toBe(201)
      expect(runs()).toBe(1)
    } finally {
      await server.close()
    }
  })

  test('that are payloads of run keep them apart too', async () => {
    const once = createIdempotency({ store: memoryStore() })
    const run = (text: string) =>
      once.run({ scope: false, key: 'k', payload: JSON.parse(text) }, async () => text)
    expect(await run('{}')).toBe('{}')
    for (const text of texts) await expect(run(text)).rejects.toMatchObject({ code: 'key-reused' })
    await once.close()
  })
})

describe('options', () => {
  test.each(names)('an own member called %s is refused by name', (name) => {
    const options: unknown = JSON.parse(`{"scope":false,"${name}":{"polluted":true}}`)
    expect(() => idempotency(options as { scope: false })).toThrow(name)
  })

  test('what a prototype holds is no option', () => {
    const options: unknown = Object.create({ scope: false })
    expect(() => idempotency(options as { scope: false })).toThrow(/scope/)
  })
})

describe('recorded headers', () => {
  test.each(names)('a header called %s is a header', async (name) => {
    const server = await nodeSubject.start({ scope: false }, () => ({
      kind: 'json',
      status: 201,
      headers: [[name, 'polluted']],
      value: {},
    }))
    try {
      const ask = () => exchange(server.port, { headers: [['Idempotency-Key', 'k']], body: '{}' })
      const [first, replay] = [await ask(), await ask()]
      const values = [first, replay].map(({ headers }) => headers.filter(([each]) => each === name))
      expect(values).toEqual([[[name, 'polluted']], [[name, 'polluted']]])
    } finally {
      await server.close()
    }
  })

  test('a stored answer with such members has no others', () => {
    const stored =
      '{"kind":"kept","status":200,"headers":[["__proto__","x"]],"bodyBytes":0,"__proto__":{"trailers":[]}}'
    for (const response of [
      decodeSqlite(stored, null),
      decodeRedis(Buffer.from('200\0__proto__\0x'), Buffer.alloc(0)),
    ]) {
      if (response.kind !== 'kept') throw new Error('It was kept.')
      expect(response.trailers).toBeUndefined()
      expect(sendable(response)?.headers).toEqual([['__proto__', 'x']])
    }
  })
})
