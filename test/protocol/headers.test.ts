import { describe, expect, test } from 'vitest'
import { boundaryOf, isRecordable, mediaTypeEssence, recordableHeaders } from '../../src/protocol/headers.ts'

const recorded = [
  'Content-Type',
  'Content-Language',
  'Content-Disposition',
  'Content-Location',
  'Content-Encoding',
  'Location',
  'ETag',
  'Last-Modified',
  'Cache-Control',
  'Expires',
  'Vary',
  'Link',
  'Deprecation',
  'Sunset',
  'Allow',
  'Accept-Patch',
  'Content-Security-Policy',
  'Idempotency-Key',
  'X-Order-Id',
  'X-Request',
  'Dated',
  'Servers',
  'Rate-Of-Exchange',
  'Proxyless',
]

const dropped = [
  // Hop-by-hop and framing
  'Connection',
  'Keep-Alive',
  'Proxy-Connection',
  'TE',
  'Transfer-Encoding',
  'Upgrade',
  'Trailer',
  'Content-Length',
  'Proxy-Authenticate',
  'Proxy-Authentication-Info',
  'Proxy-Authorization',
  'Proxy-Status',
  'Via',
  ':status',
  // Of one exchange
  'Date',
  'Age',
  'Server',
  'Server-Timing',
  'Alt-Svc',
  'Retry-After',
  'RateLimit',
  'RateLimit-Policy',
  'RateLimit-Remaining',
  'X-RateLimit-Limit',
  'X-RateLimit-Reset',
  'WWW-Authenticate',
  'Authentication-Info',
  'Strict-Transport-Security',
  'Access-Control-Allow-Origin',
  'Access-Control-Expose-Headers',
  'Idempotent-Replayed',
  'Idempotency-Expires',
  // Traces and ids
  'traceparent',
  'tracestate',
  'traceresponse',
  'X-Request-Id',
  'X-Correlation-Id',
  'X-Amzn-Trace-Id',
  'X-Cloud-Trace-Context',
  'CF-Ray',
  'X-Amz-Cf-Id',
  'X-Vercel-Id',
  'X-B3-TraceId',
  // Policy
  'Set-Cookie',
]

describe('isRecordable', () => {
  test.each(recorded)('%s is recorded', (name) => {
    expect([name, name.toLowerCase(), name.toUpperCase()].map((spelling) => isRecordable(spelling))).toEqual([
      true,
      true,
      true,
    ])
  })

  test.each(dropped)('%s is not', (name) => {
    expect([name, name.toLowerCase(), name.toUpperCase()].map((spelling) => isRecordable(spelling))).toEqual([
      false,
      false,
      false,
    ])
  })
})

describe('recordableHeaders', () => {
  test('keeps order, multiplicity and spelling', () => {
    const kept = [
      ['Link', '</a>; rel=next'],
      ['X-Tag', 'one'],
      ['link', '</b>; rel=prev'],
      ['X-Tag', ''],
    ] as const
    const headers = [kept[0], ['Date', 'now'], kept[1], kept[2], ['Content-Length', '2'], kept[3]] as const
    expect(recordableHeaders(headers)).toEqual(kept)
  })

  test('drops exactly the unrecordable', () => {
    const headers = [...dropped, ...recorded].map((name) => [name, 'x'] as const)
    expect(recordableHeaders(headers).map(([name]) => name)).toEqual(recorded)
  })

  test('drops what any Connection field names, in any case', () => {
    const headers = [
      ['X-One', '1'],
      ['Connection', 'close, x-ONE'],
      ['X-Two', '2'],
      ['connection', ' X-Three\t,,'],
      ['x-three', '3'],
    ] as const
    expect(recordableHeaders(headers)).toEqual([['X-Two', '2']])
  })

  test('keeps Set-Cookie lines apart, and only when asked to', () => {
    const cookies = [
      ['Set-Cookie', 'a=1, b'],
      ['set-cookie', 'c=2'],
    ] as const
    expect(recordableHeaders(cookies)).toEqual([])
    expect(recordableHeaders(cookies, { setCookie: false })).toEqual([])
    expect(recordableHeaders(cookies, { setCookie: true })).toEqual(cookies)
    expect(recordableHeaders([['Connection', 'set-cookie'], ...cookies], { setCookie: true })).toEqual([])
  })
})

test.each([
  [undefined, ''],
  ['', ''],
  ['application/json', 'application/json'],
  ['Application/JSON; charset=utf-8', 'application/json'],
  [' text/plain ;x', 'text/plain'],
  [';', ''],
])('the essence of %j is %j', (contentType, essence) => {
  expect(mediaTypeEssence(contentType)).toBe(essence)
})

describe('boundaryOf', () => {
  test.each([
    ['multipart/form-data; boundary=abc', 'abc'],
    ['multipart/form-data;boundary=abc', 'abc'],
    ['Multipart/Mixed; charset=utf-8; BOUNDARY=abc; x=y', 'abc'],
    ['multipart/form-data; boundary="a b:c"', 'a b:c'],
    ['multipart/form-data; x="; boundary=no"; boundary="ab\\c"', 'abc'],
    [
      'multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW',
      '----WebKitFormBoundary7MA4YWxkTrZu0gW',
    ],
    ['multipart/form-data; boundary==_a/b:c', '=_a/b:c'],
    ['multipart/form-data; ; boundary=abc ;', 'abc'],
    [`multipart/form-data; boundary=${'b'.repeat(70)}`, 'b'.repeat(70)],
  ])('%s', (contentType, boundary) => {
    expect(boundaryOf(contentType)).toBe(boundary)
  })

  test.each([
    undefined,
    'multipart/form-data',
    'multipart/form-data; boundary',
    'multipart/form-data; boundary=',
    'multipart/form-data; boundary=""',
    'multipart/form-data; boundary="abc',
    'multipart/form-data; boundary="abc "',
    'multipart/form-data; boundary=a b',
    'multipart/form-data; boundary=a; boundary=b',
    'multipart/form-data; boundary=a; boundary=a',
    'multipart/form-data; boundary=a\u00e9',
    'multipart/form-data; boundary="a\\"b"',
    'multipart/form-data; x=";boundary=abc',
    `multipart/form-data; boundary=${'b'.repeat(71)}`,
    'application/json; boundary=abc',
    'boundary=abc',
  ])('none in %s', (contentType) => {
    expect(boundaryOf(contentType)).toBeUndefined()
  })

  test.each([
    ';'.repeat(20_000),
    `; ${' '.repeat(20_000)}x`,
    `; ${'a'.repeat(20_000)}`,
    `; a="${'\\a'.repeat(10_000)}`,
  ])('is quick on a hostile value', (parameters) => {
    const times = Array.from({ length: 5 }, () => {
      const start = performance.now()
      expect(boundaryOf(`multipart/form-data${parameters}`)).toBeUndefined()
      return performance.now() - start
    })
    // The best of five, since other work on the machine counts too.
    expect(Math.min(...times)).toBeLessThan(50)
  })
})
