import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Response } from 'express'
import { afterAll, describe, expect, it } from 'vitest'
import { expressVersions, type NodeHandler, serveBare, serveGuarded } from '../../support/express.ts'
import { exchange, type RawAnswer, type RawRequest } from '../../support/raw-http.ts'

// Each handler is served bare and behind hapax: the first answer must be the one that bare Express gives, and
// the replay must repeat it.

const everyByte = Buffer.from(Uint8Array.from({ length: 256 }, (_, index) => index))
const folder = mkdtempSync(join(tmpdir(), 'hapax-files-'))
const file = join(folder, 'report.csv')
writeFileSync(file, 'a,b\n'.repeat(50_000))
afterAll(() => rmSync(folder, { recursive: true }))

type Finish = (done: () => void) => void

const handlers: Record<string, (res: Response) => unknown> = {
  'json()': (res) => res.status(201).json({ a: 1, grüße: 'ä' }),
  'send(string)': (res) => res.send('text ä'),
  'send(buffer)': (res) => res.type('png').send(everyByte),
  'sendStatus()': (res) => res.sendStatus(202),
  'status(204).send()': (res) => res.status(204).send(),
  'status(204).json() with a body that must go': (res) => res.status(204).json({ a: 1 }),
  'status(205).send()': (res) => res.status(205).send('gone'),
  'status(304).end()': (res) => res.status(304).end(),
  'redirect(303)': (res) => res.redirect(303, '/orders/17'),
  'location and links': (res) => res.location('/a b').links({ next: '/2', last: '/9' }).end(),
  'append()': (res) =>
    res.append('Link', '</2>').append('Link', '</9>').append('Warning', '199 x').json(null),
  'sendFile()': (res) => res.sendFile(file),
  'sendFile() of a missing file': (res) =>
    res.sendFile(join(folder, 'missing'), (error) => res.status(error ? 404 : 500).end()),
  'download()': (res) => res.download(file, 'my report.csv'),
  'attachment()': (res) => res.attachment('a.json').json([]),
  'format()': (res) => res.format({ 'text/html': () => res.send('<p>'), default: () => res.send('d') }),
  'cookie()': (res) => res.cookie('a', '1').cookie('b', '2; x').json({}),
  'type() and vary()': (res) => res.type('text/x-y').vary('Accept').vary('Origin').send('z'),
  'end()': (res) => res.end(),
  'end(string)': (res) => res.end('text ä'),
  'end("")': (res) => res.end(''),
  'end(null)': (res) => Reflect.apply(res.end, res, [null]),
  'end(string, encoding)': (res) => res.end('00ff', 'hex'),
  'end(buffer)': (res) => res.end(everyByte),
  'end(Uint8Array)': (res) => res.end(new Uint8Array(everyByte)),
  'end(view on a part of a buffer)': (res) =>
    res.end(new Uint8Array(everyByte.buffer, everyByte.byteOffset + 5, 3)),
  'end(callback)': (res) => waits((done) => res.end(done)),
  'end(string, callback)': (res) => waits((done) => res.end('x', done)),
  'end(string, encoding, callback)': (res) => waits((done) => res.end('eA==', 'base64', done)),
  'write(string)': (res) => {
    res.write('a ä')
    res.end()
  },
  'write() in every form': async (res) => {
    await waits((done) => res.write('a', done))
    await waits((done) => res.write('6262', 'hex', done))
    res.write(Buffer.from([0, 255]))
    res.write(new Uint8Array([1, 2]))
    res.write('é', 'latin1')
    res.write('')
    res.write(Buffer.alloc(0))
    await waits((done) => res.end('z', done))
  },
  'write() with a length': (res) => {
    res.setHeader('Content-Length', 4)
    res.write('ab')
    res.write('c')
    res.end('d')
  },
  'write(all) with a length': (res) => {
    res.setHeader('Content-Length', '4')
    res.write('abcd')
    res.end()
  },
  'write(all) with a length, then an empty end': (res) => {
    res.writeHead(200, { 'Content-Length': 4 })
    res.write('abcd')
    res.end('')
  },
  'a length of 0': (res) => {
    res.setHeader('Content-Length', 0)
    res.flushHeaders()
    res.end()
  },
  'writeHead(status)': (res) => {
    res.writeHead(202)
    res.end('x')
  },
  'writeHead(status) and nothing': (res) => {
    res.writeHead(202)
    res.end()
  },
  'writeHead(status, reason)': (res) => res.writeHead(202, 'Queued up').end(),
  'writeHead(status, object)': (res) =>
    res.writeHead(201, { 'X-A': 'a', 'x-b': ['1', '2'], 'Content-Length': 1 }).end('x'),
  'writeHead(status, reason, object)': (res) => res.writeHead(201, 'Made', { 'X-A': 1 }).end('x'),
  'writeHead(status, flat list)': (res) =>
    res.writeHead(201, ['X-A', '1', 'X-B', '2', 'X-A', '3', 'Content-Length', '1']).end('x'),
  'writeHead() over headers set before': (res) => {
    res.setHeader('X-A', 'old')
    res.setHeader('X-B', ['b1', 'b2'])
    res.writeHead(200, { 'x-a': 'new' })
    res.end()
  },
  'writeHead(flat list) over headers set before': (res) => {
    res.setHeader('X-A', 'old')
    res.writeHead(200, ['x-a', 'new', 'x-a', 'newer'])
    res.end()
  },
  statusMessage: (res) => {
    res.statusMessage = 'Very well'
    res.end('x')
  },
  'setHeaders(Map)': (res) =>
    res
      .setHeaders(
        new Map([
          ['x-a', '1'],
          ['x-b', '2'],
        ]),
      )
      .end(),
  'setHeaders(Headers)': (res) => {
    const headers = new Headers([
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x-a', '1'],
    ])
    res.setHeaders(headers).end()
  },
  'appendHeader()': (res) => res.appendHeader('X-A', '1').appendHeader('x-a', ['2', '3']).end(),
  'removeHeader()': (res) => {
    res.setHeader('X-A', '1')
    res.setHeader('X-B', '1')
    res.removeHeader('X-A')
    res.end()
  },
  'header values of every kind': (res) => {
    res.setHeader('X-Number', 5)
    res.setHeader('X-Empty', '')
    res.setHeader('X-Latin', 'ÿé')
    res.setHeader('X-List', ['a'])
    res.setHeader('X-Quoted', '"a, b", c')
    res.end()
  },
  'flushHeaders()': async (res) => {
    res.status(201).set('X-A', '1')
    res.flushHeaders()
    await soon()
    res.end('x')
  },
  'flushHeaders() with a length': async (res) => {
    res.set('Content-Length', '1')
    res.flushHeaders()
    await soon()
    res.end('x')
  },
  'flushHeaders() before a 204': async (res) => {
    res.status(204)
    res.flushHeaders()
    await soon()
    res.end()
  },
  trailers: (res) => {
    res.setHeader('Trailer', 'Content-MD5, X-T')
    res.write('abc')
    res.addTrailers({ 'Content-MD5': 'x', 'X-T': '1' })
    res.end()
  },
  'trailers as pairs, repeated, and replaced': (res) => {
    res.setHeader('Trailer', 'X-T, X-U')
    res.write('abc')
    res.addTrailers({ 'X-Old': 'gone' })
    res.addTrailers([
      ['X-T', '1'],
      ['X-T', '2'],
      ['X-U', '3'],
    ])
    res.end()
  },
  'trailers without a body': (res) => {
    res.setHeader('Trailer', 'X-T')
    res.addTrailers({ 'X-T': '1' })
    res.end()
  },
  'no chunks': (res) => {
    res.removeHeader('Transfer-Encoding')
    res.write('abc')
    res.end('def')
  },
  'pipe()': (res) => void Readable.from([Buffer.from('a'), Buffer.from('b')]).pipe(res),
  'pipeline(file)': (res) => pipeline(createReadStream(file), res.type('csv')),
  'pipeline(generator)': (res) =>
    pipeline(async function* () {
      for (const word of ['x', 'y', 'z']) {
        await soon()
        yield word
      }
    }, res),
  'an empty stream': (res) => pipeline(Readable.from([]), res),
  'a megabyte in one write': (res) => {
    res.write(Buffer.alloc(1_000_000, 'm'))
    res.end()
  },
  'corked writes': (res) => {
    res.cork()
    res.write('a')
    res.write('b')
    res.uncork()
    res.end('c')
  },
  'Connection: close': (res) => res.set('Connection', 'close').send('x'),
  'Connection naming a header': (res) =>
    res.set('Connection', 'X-Hop, keep-alive').set('X-Hop', '1').send('x'),
  'its own Date': (res) => res.set('Date', 'Tue, 24 Nov 2026 03:25:00 GMT').send('x'),
  'no Date': (res) => {
    res.sendDate = false
    res.send('x')
  },
  'early hints': (res) => {
    res.writeEarlyHints({ link: '</style.css>; rel=preload' })
    res.send('x')
  },
  'a thrown error': () => {
    throw failure()
  },
  'an error with status and headers': () => {
    throw Object.assign(failure(), { status: 418, headers: { 'X-Why': 'teapot' } })
  },
}

// Node 24 itself sends nonsense for this form when a header was set before, as Express does.
const pairsHandler: NodeHandler = (_req, res) => {
  res.removeHeader('X-Powered-By')
  Reflect.apply(res.writeHead, res, [
    201,
    [
      ['X-A', '1'],
      ['X-B', '2'],
      ['X-A', '3'],
    ],
  ])
  res.end('x')
}

for (const version of expressVersions) {
  describe(version.name, () => {
    it.for(Object.entries(handlers))('%s', async ([name, answer]) => {
      let runs = 0
      const handler: NodeHandler = async (_req, res) => {
        runs += 1
        await answer(res)
      }
      const bare = await serveBare(version, handler)
      const guarded = await serveGuarded(version, handler)

      // On HTTP/1.0, Node throws where trailers are announced.
      const versions = name.startsWith('trailers') ? (['1.1'] as const) : (['1.1', '1.0'] as const)
      for (const http of versions) {
        const request: RawRequest = { version: http, headers: [['Idempotency-Key', `k${http}`]], body: 'x' }
        runs = 0
        const expected = await exchange(bare.port, request)
        const first = await exchange(guarded.port, request)
        const replayed = await exchange(guarded.port, request)
        expect(runs).toBe(2)
        // Node gives no length on HTTP/1.0; hapax does, which is right as well.
        if (http === '1.1') expect(comparable(first)).toEqual(comparable(expected))
        expect(first.status).toBe(expected.status)
        expect(first.body.equals(expected.body)).toBe(true)
        expect(replayed.status).toBe(expected.status)
        expect(replayed.body.equals(expected.body)).toBe(true)
        expect(replayedLines(replayed)).toEqual(replayedLines(expected))
        expect(replayed.trailers).toEqual(expected.trailers)
      }
    })

    it('writeHead(status, list of pairs)', async () => {
      const server = await serveGuarded(version, pairsHandler)
      const request = { headers: [['Idempotency-Key', 'k1']] as const, body: 'x' }
      for (let turn = 0; turn < 2; turn += 1) {
        const { status, headers, body } = await exchange(server.port, request)
        expect(status).toBe(201)
        expect(headers.filter(([name]) => name.startsWith('X-A') || name === 'X-B')).toEqual([
          ['X-A', '1'],
          ['X-A', '3'],
          ['X-B', '2'],
        ])
        expect(body.toString()).toBe('x')
      }
    })
  })
}

/** Status line, framing, trailers and headers, in the order of names (that has no meaning between names). */
function comparable(answer: RawAnswer): unknown {
  const headers = answer.headers
    .filter(([name]) => !hapaxes.has(name.toLowerCase()))
    .map(([name, value]) => (name === 'Date' ? [name, ''] : [name, value]))
  return {
    statusLine: answer.statusLine,
    framing: answer.framing,
    trailers: answer.trailers,
    headers: headers.toSorted(([a = ''], [b = '']) =>
      a.toLowerCase() < b.toLowerCase() ? -1 : a.toLowerCase() > b.toLowerCase() ? 1 : 0,
    ),
  }
}

/** What a replay must have in common with the first answer, in order. */
function replayedLines(answer: RawAnswer): unknown {
  return answer.headers.filter(
    ([name]) => !hapaxes.has(name.toLowerCase()) && !ofOneExchange.has(name.toLowerCase()),
  )
}

const hapaxes = new Set(['idempotency-expires', 'idempotent-replayed'])
const ofOneExchange = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'set-cookie',
  'trailer',
  'transfer-encoding',
  'x-hop',
])

/** Express shows the stack, which has hapax in it on one of the servers. */
function failure(): Error {
  return Object.assign(new Error('no'), { stack: 'Error: no' })
}

function waits(start: Finish): Promise<void> {
  return new Promise((resolve) => start(resolve))
}

function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2))
}
