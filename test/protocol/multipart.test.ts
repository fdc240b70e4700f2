import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { compareFingerprints, fingerprintOf } from '../../src/protocol/fingerprint.ts'

const binary = fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes).toString('latin1'))
const lines = fc
  .array(fc.constantFrom('\r\n', '--', '\n', '\r', '-', 'x', '--bound'), { maxLength: 8 })
  .map((pieces) => pieces.join(''))
const parts = fc.array(
  fc.oneof(binary, lines).map((content) => part('file', content)),
  { maxLength: 5 },
)
const boundaries = fc.tuple(
  fc.stringMatching(/^----[A-Za-z0-9]{12,20}$/),
  fc.stringMatching(/^[A-Za-z0-9'()+_,./:=?-]{12,60}$/),
)

test('is the same request with another boundary', () => {
  fc.assert(
    fc.property(parts, boundaries, (contents, [a, b]) => {
      const [first, second] = [ofForm(formOf(a, contents), a), ofForm(formOf(b, contents), b)]
      expect(kindsOf(first)).toEqual(['b1', 'v1'])
      expect(compareFingerprints(first, second)).toBe('same')
    }),
  )
})

test('is another request with any other byte in a part', () => {
  fc.assert(
    fc.property(
      parts,
      boundaries,
      fc.nat(),
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      (contents, [a, b], which, place, change) => {
        fc.pre(contents.length > 0)
        const chosen = which % contents.length
        const bytes = Buffer.from(contents[chosen] ?? '', 'latin1')
        bytes.writeUInt8(bytes.readUInt8(place % bytes.length) ^ change, place % bytes.length)
        const others = contents.with(chosen, bytes.toString('latin1'))
        expect(compareFingerprints(ofForm(formOf(a, contents), a), ofForm(formOf(a, others), a))).toBe(
          'different',
        )
        expect(compareFingerprints(ofForm(formOf(a, contents), a), ofForm(formOf(b, others), b))).toBe(
          'different',
        )
      },
    ),
  )
})

test.each<[what: string, a: string[], b: string[]]>([
  ['a part more', [part('a', '1')], [part('a', '1'), part('b', '2')]],
  ['no part', [part('a', '1')], []],
  ['other order', [part('a', '1'), part('b', '2')], [part('b', '2'), part('a', '1')]],
  ['another header', ['A: 1\r\n\r\n2'], ['A: 12\r\n\r\n2']],
  ['a break moved between parts', ['a', 'b\r\nc'], ['a\r\nb', 'c']],
  ['lengths that look like content', ['a1:b'], ['a', 'b']],
])('is another request with %s', (_, a, b) => {
  expect(compareFingerprints(ofForm(formOf('one', a), 'one'), ofForm(formOf('two', b), 'two'))).toBe(
    'different',
  )
})

test('is another request with other text after the end', () => {
  const contents = [part('a', '1')]
  expect(
    compareFingerprints(
      ofForm(formOf('one', contents), 'one'),
      ofForm(formOf('two', contents, '\r\nx'), 'two'),
    ),
  ).toBe('different')
})

test.each<[what: string, body: string]>([
  ['nothing', ''],
  ['no delimiter', 'x'],
  ['text before the first delimiter', 'x\r\n--b\r\ny\r\n--b--'],
  ['text as long as the first delimiter instead of it', 'xyz\r\ny\r\n--b--'],
  ['a line break before the first delimiter', '\r\n--b\r\ny\r\n--b--'],
  ['no end', '--b\r\nx\r\n--b\r\n'],
  ['no line break at the end of a delimiter', '--bx\r\n--b--'],
  ['spaces after a delimiter', '--b \r\nx\r\n--b--'],
  ['a bare line feed after a delimiter', '--b\nx\r\n--b--'],
  ['a bare line feed before a delimiter', '--b\r\nx\n--b\r\ny\r\n--b--'],
  ['the boundary inside a line', '--b\r\nx--by\r\n--b--'],
  ['a longer boundary in a part', '--b\r\nx\r\n--bc\r\n--b--'],
  ['a delimiter straight after a delimiter', '--b\r\n--b\r\nx\r\n--b--'],
  ['the end straight after a delimiter', '--b\r\n--b--'],
  ['a delimiter after the end', '--b\r\nx\r\n--b--\r\n--b\r\ny\r\n--b--'],
  ['a half end', '--b\r\nx\r\n--b-'],
])('with %s is compared by its bytes', (_, body) => {
  expect(kindsOf(ofForm(body, 'b'))).toEqual(['b1'])
})

test('without parts, and with empty parts, has a value', () => {
  expect(kindsOf(ofForm('--b--', 'b'))).toEqual(['b1', 'v1'])
  expect(kindsOf(ofForm('--b\r\n\r\n--b--', 'b'))).toEqual(['b1', 'v1'])
  expect(compareFingerprints(ofForm('--b--', 'b'), ofForm('--c\r\n\r\n--c--', 'c'))).toBe('different')
})

test('with more than 10,000 parts is compared by its bytes', () => {
  expect(kindsOf(ofForm(formOf('b', Array<string>(10_000).fill('')), 'b'))).toEqual(['b1', 'v1'])
  expect(kindsOf(ofForm(formOf('b', Array<string>(10_001).fill('')), 'b'))).toEqual(['b1'])
})

test('needs its boundary, and its media type', () => {
  const body = formOf('b', [part('a', '1')])
  expect(kindsOf(ofForm(body, undefined))).toEqual(['b1'])
  expect(kindsOf(ofForm(body, 'c'))).toEqual(['b1'])
  expect(kindsOf(ofForm(body, 'b', 'text/plain'))).toEqual(['b1'])
})

test('agrees with what FormData makes of one form twice', async () => {
  const form = new FormData()
  form.append('name', 'Zoë')
  form.append('file', new Blob([Buffer.from([0, 13, 10, 45, 45, 255])]), 'a "b".bin')
  const twice = await Promise.all(
    [1, 2].map(async () => {
      const request = new Request('http://localhost/', { method: 'POST', body: form })
      const boundary = request.headers.get('content-type')?.split('boundary=')[1] ?? ''
      return { boundary, body: Buffer.from(await request.arrayBuffer()).toString('latin1') }
    }),
  )
  const [a, b] = twice
  expect(a?.boundary).not.toBe(b?.boundary)
  expect(compareFingerprints(ofForm(a?.body ?? '', a?.boundary), ofForm(b?.body ?? '', b?.boundary))).toBe(
    'same',
  )
})

function ofForm(body: string, boundary: string | undefined, mediaType = 'multipart/form-data'): string {
  const bytes = Buffer.from(body, 'latin1')
  return fingerprintOf({
    method: 'POST',
    target: '/orders',
    mediaType,
    body: { kind: 'bytes', bytes, ...(boundary !== undefined && { boundary }) },
  })
}

function formOf(boundary: string, contents: readonly string[], end = '\r\n'): string {
  return `${contents.map((content) => `--${boundary}\r\n${content}\r\n`).join('')}--${boundary}--${end}`
}

function part(name: string, content: string): string {
  return `Content-Disposition: form-data; name="${name}"\r\n\r\n${content}`
}

function kindsOf(fingerprint: string): string[] {
  return fingerprint.split(' ').map((digest) => digest.slice(0, digest.indexOf(':')))
}
