import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { acceptsContentEncoding, decodeContent } from '../../src/http/content-coding.ts'

const text = Buffer.from('text '.repeat(100))

describe('decodeContent', () => {
  it.for([
    ['gzip', gzipSync(text)],
    ['X-GZIP', gzipSync(text)],
    ['deflate', deflateSync(text)],
    ['br', brotliCompressSync(text)],
    ['identity', text],
    ['', text],
    ['gzip, br', brotliCompressSync(gzipSync(text))],
  ] as const)('undoes %s', async ([coding, bytes]) => {
    expect(Buffer.from((await decodeContent(bytes, coding, 10_000)) ?? []).equals(text)).toBe(true)
  })

  it.for([
    ['an unknown coding', 'zip', text],
    ['a name of Object.prototype', 'constructor', text],
    ['bytes in another coding', 'gzip', text],
    ['bytes that were cut', 'gzip', gzipSync(text).subarray(0, -10)],
    ['more than the limit', 'gzip', gzipSync(Buffer.alloc(10_001))],
  ] as const)('gives nothing for %s', async ([, coding, bytes]) => {
    expect(await decodeContent(bytes, coding, 10_000)).toBeUndefined()
  })
})

describe('acceptsContentEncoding', () => {
  it.for([
    [undefined, 'gzip', true],
    ['gzip', 'gzip', true],
    ['GZip , br', 'gzip', true],
    ['gzip;q=0.1', 'gzip', true],
    ['gzip;q=0', 'gzip', false],
    ['gzip; q=0.000', 'gzip', false],
    ['*', 'gzip', true],
    ['*;q=0', 'gzip', false],
    ['gzip;q=0, *', 'gzip', false],
    ['identity', 'gzip', false],
    ['', 'gzip', false],
    ['br', 'gzip', false],
    ['gzip', 'gzip, br', false],
    ['gzip, br', 'gzip, br', true],
    ['identity;q=0', 'identity', true],
    ['gzip;q=no', 'gzip', false],
  ] as const)('%s allows %s: %s', ([accepted, coding, expected]) => {
    expect(acceptsContentEncoding(accepted, coding)).toBe(expected)
  })
})
