// A small body that unpacks to a large one costs no more than `maxRequestBytes`.
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { decodeContent } from '../../src/http/content-coding.ts'
import { counter } from '../../src/testing/adapter/subject.ts'
import { adapterSubjects } from '../support/adapters/index.ts'
import { exchange } from '../support/raw-http.ts'

const mebibyte = 1024 * 1024
const unpackedBytes = 64 * mebibyte
const zeros = Buffer.alloc(unpackedBytes)
const gzipped = gzipSync(zeros)
const bombs: Readonly<Record<string, Buffer>> = {
  gzip: gzipped,
  'gzip, gzip': gzipSync(gzipped),
  deflate: deflateSync(zeros),
  br: brotliCompressSync(zeros),
}

test.each(Object.entries(bombs))('%s: is given up at the limit', async (coding, bomb) => {
  expect(bomb.length).toBeLessThan(mebibyte / 4)
  const before = process.memoryUsage().arrayBuffers
  expect(await decodeContent(bomb, coding, mebibyte)).toBeUndefined()
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(unpackedBytes / 4)
  // What fits is unpacked: the limit is what makes the difference.
  expect((await decodeContent(bomb, coding, unpackedBytes))?.byteLength).toBe(unpackedBytes)
})

test('many codings, one on the other, are bounded too', async () => {
  const coding = Array.from({ length: 5_000 }, () => 'gzip').join(', ')
  const startMs = performance.now()
  expect(await decodeContent(gzipped, coding, mebibyte)).toBeUndefined()
  expect(performance.now() - startMs).toBeLessThan(2_000)
})

describe.each(adapterSubjects.filter(({ name }) => !name.startsWith('Nest')))('$name', (subject) => {
  test('answers a bomb, and its retry, without unpacking it', async () => {
    const { handler, runs } = counter()
    const server = await subject.start({ scope: false, maxRequestBytes: mebibyte }, handler)
    const headers = [
      ['Idempotency-Key', 'k'],
      ['Content-Encoding', 'gzip'],
      ['Content-Type', 'application/octet-stream'],
    ] as const
    try {
      const statuses = new Set<number>()
      for (let time = 0; time < 2; time += 1) {
        statuses.add((await exchange(server.port, { headers, body: gzipped })).status)
      }
      expect(statuses.size).toBe(1)
      expect(runs()).toBeLessThan(2)
    } finally {
      await server.close()
    }
  })
})
