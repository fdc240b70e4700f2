import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  compareFingerprints,
  customFingerprint,
  type FingerprintBody,
  fingerprintOf,
  payloadFingerprint,
} from '../../src/protocol/fingerprint.ts'
import { type Json, json, parse, spelledJson } from './json.ts'

const order = { method: 'POST', target: '/orders', mediaType: 'application/json' }

function ofBytes(body: string | Uint8Array, request: Partial<typeof order> = {}): string {
  return fingerprintOf({ ...order, ...request, body: { kind: 'bytes', bytes: Buffer.from(body) } })
}

function ofValue(value: unknown, request: Partial<typeof order> = {}): string {
  return fingerprintOf({ ...order, ...request, body: { kind: 'value', value } })
}

function kindsOf(fingerprint: string): string[] {
  return fingerprint.split(' ').map((part) => part.slice(0, part.indexOf(':')))
}

function sha256(...pieces: Array<string | Uint8Array>): string {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return hash.digest('base64url')
}

// A record written by one release is compared by the next: a change of these texts needs a new kind.
describe('the text that is hashed is pinned', () => {
  const head = '7:request4:POST7:/orders16:application/json'

  test('for bytes and for their value', () => {
    expect(ofBytes('{ "b": 1, "a": "é" }')).toBe(
      `b1:${sha256(`hapax b1\n${head}5:bytes21:{ "b": 1, "a": "é" }`)} v1:${sha256(`hapax v1\n${head}4:json16:{"a":"é","b":1}`)}`,
    )
  })

  test.each([100, 65_000, 65_420, 65_500, 65_535, 65_536, 65_537, 200_000])(
    'for a body of %i bytes',
    (length) => {
      const text = `{"b":1,"a":"${'x'.repeat(length - 14)}"}`
      const canonical = `{"a":"${'x'.repeat(length - 14)}","b":1}`
      expect(text.length).toBe(length)
      for (const _ of [1, 2]) {
        expect(ofBytes(text)).toBe(
          `b1:${sha256(`hapax b1\n${head}5:bytes${length}:${text}`)} v1:${sha256(`hapax v1\n${head}4:json${length}:${canonical}`)}`,
        )
      }
    },
  )

  test('for a request without body', () => {
    expect(ofBytes('')).toBe(`b1:${sha256(`hapax b1\n${head}5:bytes0:`)}`)
    expect(ofValue(undefined)).toBe(`v1:${sha256(`hapax v1\n${head}7:nothing`)}`)
  })

  test('for multipart', () => {
    const body = {
      kind: 'bytes',
      bytes: Buffer.from('--x\r\nA: 1\r\n\r\n2\r\n--x--\r\n'),
      boundary: 'x',
    } as const
    const [, value] = fingerprintOf({ ...order, mediaType: 'multipart/form-data', body }).split(' ')
    expect(value).toBe(
      `v1:${sha256('hapax v1\n7:request4:POST7:/orders19:multipart/form-data9:multipart9:A: 1\r\n\r\n22:\r\n')}`,
    )
  })

  test('for payloads and custom fingerprints', () => {
    expect(payloadFingerprint({ b: 1, a: 2 })).toBe(
      `v1:${sha256('hapax v1\n7:payload4:json13:{"a":2,"b":1}')}`,
    )
    expect(payloadFingerprint(undefined)).toBe(`v1:${sha256('hapax v1\n7:payload7:nothing')}`)
    expect(customFingerprint('a')).toBe(`c1:${sha256('hapax c1\n6:custom4:json3:"a"')}`)
    expect(customFingerprint(Buffer.from('a'))).toBe(`c1:${sha256('hapax c1\n6:custom5:bytes1:a')}`)
  })
})

describe('JSON', () => {
  test('is one request in every spelling, read as bytes or parsed', () => {
    fc.assert(
      fc.property(spelledJson, ({ value, text }) => {
        const plain = ofBytes(JSON.stringify(value))
        const spelled = ofBytes(text)
        expect(kindsOf(spelled)).toEqual(['b1', 'v1'])
        expect(compareFingerprints(plain, spelled)).toBe('same')
        expect(plain.split(' ')[1]).toBe(spelled.split(' ')[1])
        if (typeof value !== 'string') expect(ofValue(parse(text))).toBe(spelled.split(' ')[1])
      }),
      { numRuns: 1000 },
    )
  })

  test('is another request with any other value', () => {
    fc.assert(
      fc.property(json, fc.nat(), json, (value, place, replacement) => {
        const other = replaceAt(value, place, replacement)
        fc.pre(canonicalize(other) !== canonicalize(value))
        expect(compareFingerprints(ofBytes(JSON.stringify(value)), ofBytes(JSON.stringify(other)))).toBe(
          'different',
        )
        if (typeof value !== 'string' && typeof other !== 'string') {
          expect(compareFingerprints(ofValue(value), ofValue(other))).toBe('different')
        }
      }),
      { numRuns: 1000 },
    )
  })

  test('is another request with a member more', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), json), fc.string(), json, (value, name, added) => {
        fc.pre(!Object.hasOwn(value, name) && name !== '__proto__')
        const other = JSON.stringify({ ...value, [name]: added })
        expect(compareFingerprints(ofBytes(JSON.stringify(value)), ofBytes(other))).toBe('different')
      }),
    )
  })

  test.each(['application/json', 'text/json', 'application/vnd.api+json', 'Application/JSON; charset=utf-8'])(
    'is recognised as %s',
    (mediaType) => {
      const [a, b] = ['{"a":1,"b":2}', '{"b":2,"a":1}'].map((text) => ofBytes(text, { mediaType }))
      expect(compareFingerprints(a ?? '', b ?? '')).toBe('same')
    },
  )

  test.each(['text/plain', 'application/x-ndjson', 'application/jsonp', 'application/xml', ''])(
    'is not looked for in %s',
    (mediaType) => {
      expect(kindsOf(ofBytes('{"a":1}', { mediaType }))).toEqual(['b1'])
    },
  )

  test.each([
    ['a member twice', '{"a":1,"a":2}', '{"a":2,"a":1}'],
    ['a member twice, the last one equal', '{"a":1,"a":2}', '{"a":3,"a":2}'],
    ['digits that a double loses', '9007199254740993', '9007199254740992.0'],
    ['an infinity', '[1e400]', '[1e401]'],
    ['no JSON', '{a:1}', '{a:2}'],
    ['a byte order mark', '\ufeff{"a":1}', '\ufeff{"a":2}'],
    ['deep nesting', `${'['.repeat(1001)}1${']'.repeat(1001)}`, `${'['.repeat(1001)}2${']'.repeat(1001)}`],
  ])('with %s is compared by its bytes', (_, text, other) => {
    expect(kindsOf(ofBytes(text))).toEqual(['b1'])
    expect(compareFingerprints(ofBytes(text), ofBytes(text))).toBe('same')
    expect(compareFingerprints(ofBytes(text), ofBytes(other))).toBe('different')
    expect(compareFingerprints(ofBytes(text), ofBytes(` ${text}`))).toBe('different')
  })

  test('that is not UTF-8 is compared by its bytes', () => {
    const [a, b] = [0xff, 0xfe].map((byte) => ofBytes(Buffer.from([0x22, byte, 0x22])))
    expect(kindsOf(a ?? '')).toEqual(['b1'])
    expect(compareFingerprints(a ?? '', b ?? '')).toBe('different')
  })

  test('above 1 MiB is compared by its bytes', () => {
    const text = `"${'a'.repeat(1024 * 1024 - 2)}"`
    expect(kindsOf(ofBytes(text))).toEqual(['b1', 'v1'])
    expect(kindsOf(ofBytes(`${text} `))).toEqual(['b1'])
  })
})

describe('a request', () => {
  test('is another one with any other method, target, media type or body', () => {
    const field = fc
      .array(fc.constantFrom('a', 'A', '/', '1', ':', '4', '\n'), { maxLength: 4 })
      .map((parts) => parts.join(''))
    const request = fc.record({ method: field, target: field, mediaType: field, body: field })
    fc.assert(
      fc.property(request, request, (a, b) => {
        const equal =
          a.method === b.method &&
          a.target === b.target &&
          a.body === b.body &&
          a.mediaType.trim().toLowerCase() === b.mediaType.trim().toLowerCase()
        const expected = equal ? 'same' : 'different'
        expect(compareFingerprints(ofBytes(a.body, a), ofBytes(b.body, b))).toBe(expected)
        expect(compareFingerprints(ofValue({ body: a.body }, a), ofValue({ body: b.body }, b))).toBe(expected)
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    [
      { method: 'POST', target: '/a' },
      { method: 'POST/', target: 'a' },
    ],
    [
      { target: '/a', mediaType: 'b' },
      { target: '/ab', mediaType: '' },
    ],
    [{ target: '/orders?a=1' }, { target: '/orders?a=2' }],
    [{ target: '/orders?a=1&b=2' }, { target: '/orders?b=2&a=1' }],
    [{ method: 'POST' }, { method: 'post' }],
    [{ method: 'POST' }, { method: 'PATCH' }],
    [{ mediaType: 'application/json' }, { mediaType: 'application/vnd.api+json' }],
  ])('%j differs from %j', (a, b) => {
    expect(compareFingerprints(ofBytes('{}', a), ofBytes('{}', b))).toBe('different')
    expect(compareFingerprints(ofValue({}, a), ofValue({}, b))).toBe('different')
  })

  test('does not move a field into the body', () => {
    expect(
      compareFingerprints(
        ofBytes('x', { mediaType: 'text/plain' }),
        ofBytes('plainx', { mediaType: 'text/' }),
      ),
    ).toBe('different')
  })

  test('is the same whatever the parameters of its media type', () => {
    expect(ofBytes('{}', { mediaType: 'Application/JSON;charset=utf-8' })).toBe(ofBytes('{}'))
  })

  test.each(['text/plain', 'application/octet-stream', 'application/json'])(
    'compares every byte of %s',
    (mediaType) => {
      fc.assert(
        fc.property(
          fc.uint8Array({ minLength: 1, maxLength: 50 }),
          fc.nat(),
          fc.integer({ min: 1, max: 255 }),
          (bytes, place, change) => {
            const other = Buffer.from(bytes)
            other.writeUInt8(other.readUInt8(place % bytes.length) ^ change, place % bytes.length)
            // As JSON these may be spellings of one value ("1" and "1 "), which is the business of other tests.
            fc.pre(kindsOf(ofBytes(bytes, { mediaType })).length === 1)
            expect(compareFingerprints(ofBytes(bytes, { mediaType }), ofBytes(bytes, { mediaType }))).toBe(
              'same',
            )
            expect(compareFingerprints(ofBytes(bytes, { mediaType }), ofBytes(other, { mediaType }))).toBe(
              'different',
            )
          },
        ),
      )
    },
  )

  test('reads a view of a larger buffer as the view', () => {
    const pool = Buffer.from('xx{"a":1}yy')
    expect(ofBytes(pool.subarray(2, 9))).toBe(ofBytes('{"a":1}'))
    const body: FingerprintBody = {
      kind: 'bytes',
      bytes: new Uint8Array(pool.buffer, pool.byteOffset + 2, 7),
    }
    expect(fingerprintOf({ ...order, body })).toBe(ofBytes('{"a":1}'))
  })
})

describe('a parsed value', () => {
  test('that is bytes counts as the body', () => {
    const bytes = Buffer.from('{"a": 1}')
    expect(ofValue(bytes)).toBe(ofBytes(bytes))
    expect(ofValue(new Uint8Array(bytes))).toBe(ofBytes(bytes))
    expect(ofValue(new Uint8Array(bytes).buffer)).toBe(ofBytes(bytes))
  })

  test('that is a string counts as the body', () => {
    expect(ofValue('füü', { mediaType: 'text/plain' })).toBe(ofBytes('füü', { mediaType: 'text/plain' }))
    expect(compareFingerprints(ofValue('{"a":1}'), ofBytes('{"a":1}'))).toBe('same')
  })

  test('that is a string is never mistaken for the object that it describes', () => {
    // What a JSON parser that is not strict makes of the bodies "{\"a\":1}" and {"a":1}.
    expect(compareFingerprints(ofValue('{"a":1}'), ofValue({ a: 1 }))).not.toBe('same')
  })

  test('that is a string with half of a surrogate pair differs from its like', () => {
    expect(compareFingerprints(ofValue('\ud800'), ofValue('\ud800'))).toBe('same')
    expect(compareFingerprints(ofValue('\ud800'), ofValue('\ud801'))).toBe('different')
    expect(compareFingerprints(ofValue('\ud800'), ofValue('\ufffd'))).not.toBe('same')
  })

  test('that is absent is not null', () => {
    expect(compareFingerprints(ofValue(undefined), ofValue(null))).toBe('different')
  })

  test('may come without a prototype, as query parsers make it', () => {
    const value: unknown = Object.assign(Object.create(null), { a: '1' })
    expect(ofValue(value)).toBe(ofValue({ a: '1' }))
  })

  test.each<[what: string, value: unknown]>([
    ['a Map', new Map([['a', 1]])],
    ['FormData', new FormData()],
    ['a promise', Promise.resolve({})],
    ['a bigint', { a: 1n }],
    ['a function', () => 1],
  ])('that is %s is refused, since others would look the same', (_, value) => {
    expect(() => ofValue(value)).toThrow(TypeError)
    expect(() => customFingerprint(value)).toThrow(TypeError)
    expect(() => payloadFingerprint(value)).toThrow(TypeError)
  })
})

describe('payloads and custom fingerprints', () => {
  const values = [
    undefined,
    null,
    '',
    'null',
    'undefined',
    0,
    '0',
    false,
    [],
    {},
    [null],
    Buffer.alloc(0),
    Buffer.from('null'),
  ]

  test('tell all values apart', () => {
    const payloads = values.map((value) => payloadFingerprint(value))
    const customs = values.filter((value) => value !== undefined).map((value) => customFingerprint(value))
    expect(new Set(payloads).size).toBe(values.length)
    expect(new Set(customs).size).toBe(values.length - 1)
  })

  test('do not depend on the order of members', () => {
    expect(payloadFingerprint({ a: 1, b: 2 })).toBe(payloadFingerprint({ b: 2, a: 1 }))
    expect(customFingerprint({ a: 1, b: 2 })).toBe(customFingerprint({ b: 2, a: 1 }))
  })

  test('refuse undefined where a function forgot to return', () => {
    expect(() => customFingerprint(undefined)).toThrow(TypeError)
  })

  test('do not equal a request with the same value', () => {
    expect(compareFingerprints(payloadFingerprint({ a: 1 }), ofValue({ a: 1 }))).toBe('different')
    expect(compareFingerprints(customFingerprint({ a: 1 }), ofValue({ a: 1 }))).toBe('incomparable')
  })
})

test.each([
  ['b1:A v1:B', 'b1:A v1:B', 'same'],
  ['b1:A v1:B', 'b1:C v1:B', 'same'],
  ['b1:A v1:B', 'b1:A v1:C', 'same'],
  ['b1:A v1:B', 'v1:B', 'same'],
  ['b1:A v1:B', 'b1:B v1:A', 'different'],
  ['b1:A v1:B', 'v1:A', 'different'],
  ['b1:A', 'b1:B', 'different'],
  ['b1:A', 'b1:a', 'different'],
  ['b1:A', 'v1:A', 'incomparable'],
  ['b1:A', 'b2:A', 'incomparable'],
  ['c1:A', 'b1:A v1:B', 'incomparable'],
  ['b2:A b1:B', 'b1:B', 'same'],
  ['', '', 'incomparable'],
  ['', 'b1:A', 'incomparable'],
  ['corrupt', 'corrupt', 'incomparable'],
  [':A', ':A', 'incomparable'],
])('%s and %s: %s', (a, b, expected) => {
  expect(compareFingerprints(a, b)).toBe(expected)
  expect(compareFingerprints(b, a)).toBe(expected)
})

// Replaces the value at one place, which `place` decides among all.
function replaceAt(value: Json, place: number, replacement: Json): Json {
  if (typeof value !== 'object' || value === null) return replacement
  const names = Object.keys(value)
  const chosen = names[place % (names.length + 1)]
  if (chosen === undefined) return replacement
  const rest = Math.floor(place / (names.length + 1))
  if (Array.isArray(value))
    return value.with(Number(chosen), replaceAt(value[Number(chosen)] ?? null, rest, replacement))
  const members = names.map((name) => {
    const member = name === chosen ? replaceAt(value[name] ?? null, rest, replacement) : value[name]
    return `${JSON.stringify(name)}:${JSON.stringify(member)}`
  })
  return parse(`{${members.join(',')}}`)
}
