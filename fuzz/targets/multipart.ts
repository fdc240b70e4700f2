import assert from 'node:assert/strict'
import { compareFingerprints, fingerprintOf } from '../../src/protocol/fingerprint.ts'
import { boundaryOf, mediaTypeEssence } from '../../src/protocol/headers.ts'
import { multipartPieces } from '../../src/protocol/multipart.ts'
import { inLinearTime } from '../linear.ts'
import { pure } from '../target.ts'

const form = [
  '--x',
  'Content-Disposition: form-data; name="note"',
  '',
  'two shirts',
  '--x',
  'Content-Disposition: form-data; name="file"; filename="a.bin"',
  'Content-Type: application/octet-stream',
  '',
  '\x00\x01--y\r',
  '--x--',
  '',
].join('\r\n')

const corpus = [
  `multipart/form-data; boundary=x\n${form}`,
  `multipart/form-data; boundary="x"; charset=utf-8\n${form}`,
  `multipart/mixed;boundary=x;boundary=y\n${form}`,
  'multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW\n------WebKitFormBoundary7MA4YWxkTrZu0gW--\r\n',
  'multipart/form-data; boundary=x\n--x--',
  'multipart/form-data; boundary=x\n--x\r\n\r\n--x\r\n\r\n--x--epilogue',
  'multipart/form-data\n--x--',
  'application/json\n{}',
]
const tokens = [
  '--x',
  '\r\n--x\r\n',
  '\r\n--x--',
  '--',
  '; boundary=x',
  ';boundary="x"',
  'boundary=',
  '\\"',
  'multipart/',
]

/** A Content-Type, a line feed, and a body. */
export const multipartTarget = pure(
  'multipart',
  'multipart bodies are the same request with another boundary, and with no other part',
  corpus,
  (input) => {
    const cut = input.indexOf('\n')
    const contentType = input.toString('latin1', 0, cut === -1 ? input.length : cut)
    const body = cut === -1 ? Buffer.alloc(0) : input.subarray(cut + 1)
    const boundary = inLinearTime(input.length, () => boundaryOf(contentType))
    assert.equal(typeof mediaTypeEssence(contentType), 'string')
    if (boundary === undefined) return

    assert.match(boundary, /^[0-9A-Za-z'()+_,\-./:=? ]{1,70}$/)
    const pieces = inLinearTime(input.length, () => multipartPieces(body, boundary))
    const mine = fingerprint(body, boundary)
    if (pieces === undefined) {
      assert(!mine.includes('v1:'), 'a body that can not be taken apart has a value')
      return
    }
    assert(assembled(pieces, boundary).equals(body), 'the pieces do not make up the body')
    const other = `other-${'y'.repeat(20)}`
    if (body.includes(other)) return
    assert.equal(compareFingerprints(mine, fingerprint(assembled(pieces, other), other)), 'same')
    for (const index of [0, pieces.length - 1]) {
      const altered = pieces.with(index, Buffer.concat([pieces[index] ?? Buffer.alloc(0), Buffer.from('!')]))
      assert.equal(compareFingerprints(mine, fingerprint(assembled(altered, other), other)), 'different')
    }
  },
  tokens,
)

function assembled(pieces: readonly Uint8Array[], boundary: string): Buffer {
  const parts: Buffer[] = []
  for (const [index, piece] of pieces.entries()) {
    const isLast = index === pieces.length - 1
    parts.push(Buffer.from(`--${boundary}${isLast ? '--' : '\r\n'}`), Buffer.from(piece))
    if (!isLast) parts.push(Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}

function fingerprint(bytes: Buffer, boundary: string): string {
  const body = { kind: 'bytes', bytes, boundary } as const
  return inLinearTime(bytes.length, () =>
    fingerprintOf({ method: 'POST', target: '/upload', mediaType: 'multipart/form-data', body }),
  )
}
