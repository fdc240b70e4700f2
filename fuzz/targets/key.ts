import assert from 'node:assert/strict'
import { ParseError, parseItem } from 'structured-headers'
import { checkKey, formatKey, parseKey } from '../../src/protocol/key.ts'
import { inLinearTime } from '../linear.ts'
import { pure } from '../target.ts'

const maxLength = 255
const rawCharacters = new Set('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~:/+=@-')

const corpus = [
  '8e03978e-40d5-43e8-bc93-6894a57f9324',
  '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
  'order-17',
  ' \t"k"; v=1 ',
  '"a\\"b\\\\c"',
  '"k";a;b="x;y";c=1.5;d=:YWJj:;e=?0;f=@12;g=tok/en;h=%"f%c3%bc"',
  '"k";a=-123456789012345;b=123456789012.345',
  '"f\u00fc"',
  '""',
  '"',
  '(a b)',
  "'k'",
  'k\nk',
]
const tokens = [
  '";',
  ';a',
  '; b',
  '=1',
  '=1.5',
  '=?1',
  '=@1',
  '=:YWJj:',
  '=:YQ==:',
  '=%"%c3%bc"',
  '%ff',
  '\x7f',
]

/** One field line, or several with a line feed between, as Node hands them over: one character for each byte. */
export const keyTarget = pure(
  'key',
  'the key parser agrees with structured-headers, and never throws',
  corpus,
  (input) => {
    const lines = input.toString('latin1').split('\n')
    const parsed = inLinearTime(input.length, () => parseKey(lines, { maxLength }))
    if (parsed.kind === 'key') {
      assert.deepEqual(
        parseKey([formatKey(parsed.key)], { maxLength }),
        parsed,
        'a key is not read as it is written',
      )
    }
    assert.notEqual(parsed.kind, 'absent', 'a line was ignored')
    if (lines.length > 1) assert.equal(parsed.kind, 'malformed')
    else assertAgrees(lines[0] ?? '', parsed.kind === 'key' ? parsed.key : undefined)
    if (parsed.kind === 'malformed') assertNothingRepeated(lines.join('\n'), parsed.reason)

    const text = input.toString()
    const checked = inLinearTime(input.length, () => checkKey(text, { maxLength }))
    if (checked.kind === 'key') assert.equal(checked.key, text)
  },
  tokens,
)

function assertAgrees(line: string, key: string | undefined): void {
  const value = trimmed(line)
  if (!value.startsWith('"')) {
    const isRaw =
      value !== '' && value.length <= maxLength && Array.from(value).every((each) => rawCharacters.has(each))
    assert.equal(key, isRaw ? value : undefined)
    return
  }
  // The library loses its place after a Date (RFC 9651 is newer than it), so that only the rest can be compared.
  if (/=@/.test(value)) return
  const expected = stringIn(value)
  const isKey = expected !== undefined && expected.trim() !== '' && expected.length <= maxLength
  assert.equal(key, isKey ? expected : undefined)
}

function trimmed(line: string): string {
  let [start, end] = [0, line.length]
  while (line[start] === ' ' || line[start] === '\t') start += 1
  while (end > start && (line[end - 1] === ' ' || line[end - 1] === '\t')) end -= 1
  return line.slice(start, end)
}

function stringIn(value: string): string | undefined {
  try {
    const [item] = parseItem(value)
    return typeof item === 'string' ? item : undefined
  } catch (error) {
    if (error instanceof ParseError || error instanceof URIError || error instanceof TypeError)
      return undefined
    throw error
  }
}

function assertNothingRepeated(value: string, reason: string): void {
  if (value.length > 40) assert(!reason.includes(value), 'the reason repeats what the client sent')
}
