import { createServer, type Server } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encode, type Exchange, type Request } from '../../src/checker/wire/message.ts'
import { AnswerReader } from '../../src/checker/wire/reader.ts'
import { overlapped, Transport } from '../../src/checker/wire/transport.ts'

function read(text: string, method = 'POST', step = text.length) {
  const reader = new AnswerReader(method, 1000)
  const bytes = Buffer.from(text, 'latin1')
  for (let at = 0; at < bytes.length; at += step) reader.push(bytes.subarray(at, at + step))
  return reader
}

describe('reading an answer', () => {
  test('in any pieces, keeping header lines as they came', () => {
    const text = 'HTTP/1.1 201 Created\r\nX-A: caf\u00e9\r\nx-a:  two \r\nContent-Length: 3\r\n\r\nabc'
    for (const step of [1, 2, 7, text.length]) {
      const answer = read(text, 'POST', step).answer()
      expect(answer.headers.slice(0, 2)).toEqual([
        ['X-A', 'caf\u00e9'],
        ['x-a', 'two'],
      ])
      expect([answer.status, answer.body.toString(), answer.faults]).toEqual([201, 'abc', []])
    }
  })

  test('chunked, with extensions and trailers; 1xx answers are passed over', () => {
    const text =
      'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n'
    for (const step of [1, 5, text.length]) {
      const reader = read(text, 'POST', step)
      expect(reader.done).toBe(true)
      expect(reader.answer().body.toString()).toBe('abc0123456789')
    }
  })

  test.each([
    [
      'both framings',
      'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      /both Content-Length/,
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n', /2 Content-Length/],
    ['a length on a 204', 'HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n', /Content-Length on a 204/],
    [
      'a coding on a 204',
      'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n',
      /Transfer-Encoding on a 204/,
    ],
    ['a bad header name', 'HTTP/1.1 204 No Content\r\nX Y: 0\r\n\r\n', /bad header line/],
  ])('notes %s', (_, text, fault) => {
    expect(read(text).answer().faults.join()).toMatch(fault)
  })

  test.each([
    ['another protocol', 'SSH-2.0-x\r\n', /not HTTP/],
    ['a bad chunk size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', /bad chunk size/],
    [
      'a chunk without its end',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n',
      /not followed by CRLF/,
    ],
    ['more than the limit', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(1001)}`, /went on past 1000 bytes/],
  ])('refuses %s', (_, text, sentence) => {
    expect(() => read(text)).toThrow(sentence)
  })

  test('a body that lasts until the connection closes, and one that is cut', () => {
    const open = read('HTTP/1.1 200 OK\r\n\r\nabc')
    open.end()
    expect(open.answer().body.toString()).toBe('abc')
    expect(() => read('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc').end()).toThrow(
      /in the middle of the answer/,
    )
  })

  test('what follows an answer is left for the next one; HEAD has no body', () => {
    expect(read('HTTP/1.1 204 No Content\r\n\r\nextra').rest.toString()).toBe('extra')
    expect(read('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 'HEAD').done).toBe(true)
  })
})

const plain: Request = {
  origin: { secure: false, host: '127.0.0.1', port: 80 },
  method: 'POST',
  target: '/x',
  headers: [
    ['Idempotency-Key', '"a"'],
    ['idempotency-key', '"\u00fc"'],
  ],
  body: Buffer.from('hello'),
  framing: { kind: 'length' },
  marker: '',
  slowMs: 0,
}

describe('writing a request', () => {
  test('byte for byte: two lines stay two, case and Latin-1 are kept', () => {
    const head =
      'POST /x HTTP/1.1\r\nHost: 127.0.0.1\r\nIdempotency-Key: "a"\r\nidempotency-key: "\u00fc"\r\n'
    expect(encode(plain).toString('latin1')).toBe(`${head}Content-Length: 5\r\n\r\nhello`)
    const chunks = encode({ ...plain, framing: { kind: 'chunked', sizes: [1, 3] } }).toString('latin1')
    expect(chunks).toBe(`${head}Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\n\r\n`)
  })
})

function exchangeAt(sentAt: number, firstByteAt: number): Exchange {
  const result = { kind: 'none', code: 'X', reason: 'x' } as const
  return { number: 1, request: plain, openedAt: 0, sentAt, firstByteAt, endedAt: firstByteAt, result }
}

describe('a race', () => {
  const arrivals: number[] = []
  let server: Server
  let request = plain
  beforeAll(async () => {
    server = createServer((socket) => {
      let got = ''
      socket.on('error', () => undefined)
      socket.on('data', (part) => {
        got += part.toString('latin1')
        if (!got.endsWith('hello')) return
        arrivals.push(performance.now())
        setTimeout(() => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), 30)
      })
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    request = { ...plain, origin: { ...plain.origin, port: (server.address() as AddressInfo).port } }
  })
  afterAll(() => {
    server.close()
  })

  test('all requests become whole together, and the overlap is proven', async () => {
    const limits = { connectMs: 5000, answerMs: 10_000, maxBytes: 1000 }
    const transport = new Transport({ trust: { insecure: false, ca: undefined }, limits })
    const race = await transport.race(Array.from({ length: 20 }, () => request))
    expect(race.overlapped).toBe(true)
    expect(arrivals.length).toBe(20)
    // The hold alone is 100 ms: without it the first would be whole long before the last.
    expect(Math.max(...arrivals) - Math.min(...arrivals)).toBeLessThan(100)
  })

  test('an overlap is not proven when an answer began before a second request was whole', () => {
    expect(overlapped([exchangeAt(10, 20), exchangeAt(21, 30)])).toBe(false)
    expect(overlapped([exchangeAt(10, 20), exchangeAt(19, 30)])).toBe(true)
    expect(overlapped([exchangeAt(10, 20)])).toBe(false)
  })
})
