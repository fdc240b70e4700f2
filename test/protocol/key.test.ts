import * as fc from 'fast-check'
import { parseItem } from 'structured-headers'
import { describe, expect, test } from 'vitest'
import { checkKey, formatKey, parseKey } from '../../src/protocol/key.ts'

const limit = { maxLength: 255 }
const uuid = '8e03978e-40d5-43e8-bc93-6894a57f9324'

describe('parseKey', () => {
  test.each<[what: string, lines: string[], key: string]>([
    ['a quoted UUID', [`"${uuid}"`], uuid],
    ['a parameter', ['"k";v=1'], 'k'],
    ['a parameter after a space', ['"k"; v'], 'k'],
    ['several parameters', ['"k";a;b="x;y";c=1.5;d=:YWJj:;e=?0;f=@12;g=tok/en;h=%"f%c3%bc"'], 'k'],
    ['parameters of full length', ['"k";a=-123456789012345;b=123456789012.345;c=@123456789012345'], 'k'],
    ['the same parameter twice', ['"k";a=1;a=2'], 'k'],
    ['escapes', ['"a\\"b\\\\c"'], 'a"b\\c'],
    ['spaces inside a String', ['" a b "'], ' a b '],
    ['printable ASCII inside a String', ['"a,b;c{}"'], 'a,b;c{}'],
    ['spaces and tabs around', [' \t"k"\t '], 'k'],
    ['a raw UUID that begins with a digit', [uuid], uuid],
    [
      'a raw UUID that begins with a letter',
      ['fe03978e-40d5-43e8-bc93-6894a57f9324'],
      'fe03978e-40d5-43e8-bc93-6894a57f9324',
    ],
    ['a raw number', ['12345'], '12345'],
    ['every raw character', ['AZaz09._~:/+=@-'], 'AZaz09._~:/+=@-'],
    ['raw, spaces and tabs around', ['\t k \t'], 'k'],
  ])('reads %s', (_, lines, key) => {
    expect(parseKey(lines, limit)).toEqual({ kind: 'key', key })
  })

  test.each<[what: string, lines: string[], reason: RegExp]>([
    ['a space before the semicolon', ['"k" ;v'], /RFC 9651/],
    ['backslash and n', ['"a\\n"'], /RFC 9651/],
    ['no closing quote', ['"abc'], /RFC 9651/],
    ['a quote alone', ['"'], /RFC 9651/],
    ['a closing quote that is escaped', ['"abc\\"'], /RFC 9651/],
    ['a backslash at the end', ['"abc\\'], /RFC 9651/],
    ['text after the quote', ['"a"b'], /RFC 9651/],
    ['single quotes', ["'a'"], /unquoted/],
    ['UTF-8 as Node gives it', [Buffer.from('"füü"').toString('latin1')], /RFC 9651/],
    ['Latin-1 in a String', ['"f\u00fc\u00fc"'], /RFC 9651/],
    ['Latin-1 in a raw value', ['f\u00fc\u00fc'], /unquoted/],
    ['a no-break space after a raw value', ['k\u00a0'], /unquoted/],
    ['DEL in a String', ['"a\x7f"'], /RFC 9651/],
    ['a tab in a String', ['"a\tb"'], /RFC 9651/],
    ['the empty String', ['""'], /empty or blank/],
    ['a blank String', ['"   "'], /empty or blank/],
    ['an empty value', [''], /empty/],
    ['only spaces and tabs', [' \t '], /empty/],
    ['two lines', ['"a"', '"b"'], /more than once/],
    ['two equal lines', ['"a"', '"a"'], /more than once/],
    ['two lines that would join to a String', ['"foo', 'bar"'], /more than once/],
    ['two lines, one of them empty', ['k', ''], /more than once/],
    ['two lines that were joined', ['"a", "b"'], /RFC 9651/],
    ['a Boolean', ['?1'], /unquoted/],
    ['a Display String', ['%"a"'], /unquoted/],
    ['an Inner List', ['("a")'], /unquoted/],
    ['a raw list', ['a, b'], /unquoted/],
    ['raw parameters', ['k;v=1'], /unquoted/],
    ['a raw space', ['a b'], /unquoted/],
    ['a raw tab', ['a\tb'], /unquoted/],
    ['a raw quote', ['a"b'], /unquoted/],
    ['a raw line break', ['k\n'], /unquoted/],
    ['a Date with a fraction as parameter', ['"k";a=@1.5'], /RFC 9651/],
    ['a Date with trailing text as parameter', ['"k";a=@1x'], /RFC 9651/],
    ['a Date of 16 digits as parameter', ['"k";a=@1234567890123456'], /RFC 9651/],
    ['an Integer of 16 digits as parameter', ['"k";a=1234567890123456'], /RFC 9651/],
    ['a Decimal with 13 digits before the point', ['"k";a=1234567890123.5'], /RFC 9651/],
    ['a Decimal with 4 digits after the point', ['"k";a=1.2345'], /RFC 9651/],
    ['a parameter name in upper case', ['"k";A'], /RFC 9651/],
  ])('refuses %s', (_, lines, reason) => {
    expect(parseKey(lines, limit)).toEqual({ kind: 'malformed', reason: expect.stringMatching(reason) })
  })

  // The raw rule decides these: RFC 9651 reads them as other types than String.
  test.each([':YWJj:', '@1690000000'])('reads %s as a raw key', (value) => {
    expect(parseKey([value], limit)).toEqual({ kind: 'key', key: value })
  })

  test('finds no key where there is no line', () => {
    expect(parseKey([], limit)).toEqual({ kind: 'absent' })
  })

  test('is case-sensitive, and makes one key of quoted and raw', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9._~:/+=@-]{1,40}$/), (key) => {
        expect(parseKey([key], limit)).toEqual({ kind: 'key', key })
        expect(parseKey([`"${key}"`], limit)).toEqual({ kind: 'key', key })
      }),
    )
  })

  test.each([
    ['raw', (key: string) => key],
    ['quoted', (key: string) => `"${key}"`],
    ['quoted with parameters', (key: string) => `"${key}";v=1`],
  ])('holds a %s key to the limit without truncating it', (_, write) => {
    expect(parseKey([write('k'.repeat(255))], limit)).toEqual({ kind: 'key', key: 'k'.repeat(255) })
    expect(parseKey([write('k'.repeat(256))], limit)).toEqual({
      kind: 'malformed',
      reason: 'the key is longer than 255 characters',
    })
  })

  test('counts an escaped character once', () => {
    expect(parseKey(['"\\"\\\\"'], { maxLength: 2 })).toEqual({ kind: 'key', key: '"\\' })
  })

  test('parses Strings of 1,024 characters and 256 parameters where the limit allows', () => {
    const key = 'k'.repeat(1024)
    const parameters = Array.from({ length: 256 }, (_, index) => `;p${index}=${index}`).join('')
    expect(parseKey([`"${key}"${parameters}`], { maxLength: 1024 })).toEqual({ kind: 'key', key })
  })

  test('never repeats the value in the reason', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1, maxLength: 20 }), (secret) => {
        const value = `§${secret}§`
        for (const line of [value, `"${value}`, `"${value}"`]) {
          const parsed = parseKey([line], limit)
          expect(parsed.kind === 'malformed' && !parsed.reason.includes(value)).toBe(true)
        }
      }),
    )
  })

  describe('against structured-headers', () => {
    const options = { maxLength: Number.MAX_SAFE_INTEGER }

    function agrees(value: string): void {
      const expected = oracle(value)
      if (expected === undefined) return
      const parsed = parseKey([value], options)
      const accepted = expected !== false && expected.trim() !== ''
      expect(parsed).toEqual(
        accepted ? { kind: 'key', key: expected } : { kind: 'malformed', reason: expect.any(String) },
      )
    }

    const fragment = fc.oneof(
      fc.stringMatching(/^["\\;=:?@%*\-., \t01aAzZ_/+~(\x7f\u00e9]$/),
      fc.constantFrom(
        '";',
        '=1',
        '=1.5',
        '=?1',
        '=@1',
        '=:YWJj:',
        '=:YQ==:',
        '=%"%c3%bc"',
        '="x"',
        ';a',
        '; b',
      ),
      fc.constantFrom('123456789012', '1234567890123456', '.123', '.1234', '%ff', '%C3', '=:Y:', '=:YWJjZ:'),
    )
    const anything = fc.array(fragment, { maxLength: 12 }).map((parts) => `"${parts.join('')}`)

    const sign = fc.constantFrom('', '-')
    const name = fc.stringMatching(/^[a-z*][a-z0-9_.*-]{0,4}$/)
    const bareItem = fc.oneof(
      fc.tuple(sign, digits(1, 16)).map((parts) => parts.join('')),
      fc.tuple(sign, digits(1, 13), fc.constant('.'), digits(0, 4)).map((parts) => parts.join('')),
      fc.tuple(fc.constant('@'), sign, digits(1, 16)).map((parts) => parts.join('')),
      fc.stringMatching(/^\?[012]$/),
      fc.stringMatching(/^:[A-Za-z0-9+/]{0,9}={0,3}:$/),
      fc.stringMatching(/^[A-Za-z*][!#$%&'*+.^_`|~:/A-Za-z0-9-]{0,5}$/),
      fc.stringMatching(/^"[ !#-[\]-~]{0,5}"$/),
      fc
        .uint8Array({ maxLength: 4 })
        .map((bytes) => `%"${[...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')}"`),
    )
    const parameter = fc
      .tuple(fc.constantFrom(';', '; ', ';  '), name, fc.option(bareItem))
      .map(([separator, key, item]) => `${separator}${key}${item === null ? '' : `=${item}`}`)
    const wellFormed = fc
      .tuple(fc.stringMatching(/^([ !#-[\]-~]|\\["\\]){0,8}$/), fc.array(parameter, { maxLength: 4 }))
      .map(([text, parameters]) => `"${text}"${parameters.join('')}`)
    const damaged = fc
      .tuple(wellFormed, fc.nat(), fc.oneof(fc.constant(''), fragment), fc.nat({ max: 1 }))
      .map(([value, at, insert, remove]) => {
        const position = 1 + (at % value.length)
        return value.slice(0, position) + insert + value.slice(position + remove)
      })

    test.each([
      ['anything', anything],
      ['well-formed Items', wellFormed],
      ['Items with one change', damaged],
    ])('accepts exactly what it accepts of %s', (_, values) => {
      fc.assert(fc.property(values, agrees), { numRuns: 3000 })
    })

    test('has a generator that yields both outcomes often', () => {
      for (const values of [wellFormed, damaged]) {
        const verdicts = fc.sample(values, 500).map((value) => oracle(value))
        expect(verdicts.filter((verdict) => verdict === false).length).toBeGreaterThan(50)
        expect(verdicts.filter((verdict) => typeof verdict === 'string').length).toBeGreaterThan(50)
      }
    })
  })

  test('goes on after a Date, which structured-headers does not', () => {
    expect(parseKey(['"k";a=@1;b'], limit)).toEqual({ kind: 'key', key: 'k' })
    expect(parseKey(['"k";a=@-1 '], limit)).toEqual({ kind: 'key', key: 'k' })
  })

  test.each<[what: string, value: string]>([
    ['spaces inside', `"k"${' '.repeat(20_000)}x`],
    ['spaces inside a raw value', `k${' '.repeat(20_000)}x`],
    ['backslashes', `"${'\\'.repeat(20_000)}`],
    ['an endless String', `"${'a'.repeat(20_000)}`],
    ['parameters', `"k"${';a'.repeat(10_000)};`],
    ['spaces in a parameter', `"k";${' '.repeat(20_000)}`],
    ['a long parameter name', `"k";${'a'.repeat(20_000)}!`],
    ['Strings as parameters', `"k"${';a="'.repeat(5_000)}!`],
    ['a Display String', `"k";a=%"${'%c3'.repeat(7_000)}`],
    ['Display Strings', `"k"${';a=%"%c3"'.repeat(2_000)}`],
    ['a Byte Sequence', `"k";a=:${'='.repeat(20_000)}:`],
    ['colons', `"k";a=${':'.repeat(20_000)}`],
    ['digits', `"k";a=${'1'.repeat(20_000)}`],
    ['a token', `"k";a=${'a'.repeat(20_000)}"`],
    ['raw characters', `${'a'.repeat(20_000)}!`],
  ])('refuses 20,000 hostile characters in no time: %s', (_, value) => {
    const times = Array.from({ length: 5 }, () => {
      const start = performance.now()
      const { kind } = parseKey([value], { maxLength: 100_000 })
      const elapsed = performance.now() - start
      expect(kind).toBe('malformed')
      return elapsed
    })
    // The best of five, since other work on the machine counts too. A quadratic step would take 400 ms.
    expect(Math.min(...times)).toBeLessThan(8)
  })
})

describe('checkKey', () => {
  test.each(['evt_1NG8', 'a b', ' k ', 'ключ', '😀', '"k"', 'a,b', '\u00a0k'])('takes %j as it is', (key) => {
    expect(checkKey(key, limit)).toEqual({ kind: 'key', key })
  })

  test.each<[key: string, reason: RegExp]>([
    ['', /empty or blank/],
    ['  \t', /empty or blank/],
    ['\u00a0\u3000', /empty or blank/],
    ['a\nb', /control character/],
    ['a\0', /control character/],
    ['\x7f', /control character/],
    ['a\x85', /control character/],
    ['a\ud800', /surrogate/],
    ['\udc00\ud800', /surrogate/],
    ['k'.repeat(256), /longer than 255/],
  ])('refuses %j', (key, reason) => {
    expect(checkKey(key, limit)).toEqual({ kind: 'malformed', reason: expect.stringMatching(reason) })
  })

  test('holds a key to the limit without truncating it', () => {
    expect(checkKey('k'.repeat(255), limit).kind).toBe('key')
  })
})

describe('formatKey', () => {
  test('writes a String', () => {
    expect(formatKey('a"b\\c')).toBe('"a\\"b\\\\c"')
  })

  test('writes what parseKey reads and structured-headers agrees with', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[ -~]*[!-~][ -~]*$/), (key) => {
        expect(parseKey([formatKey(key)], { maxLength: 10_000 })).toEqual({ kind: 'key', key })
        expect(parseItem(formatKey(key))[0]).toBe(key)
      }),
    )
  })

  test.each(['ü', 'a\n', '\x7f', '\x00'])('refuses %j', (key) => {
    expect(() => formatKey(key)).toThrow(TypeError)
  })
})

// Undefined where the oracle itself strays from RFC 9651: after a Date it allows only the end of the field.
function oracle(value: string): string | false | undefined {
  try {
    const [item] = parseItem(value.replace(/[ \t]+$/, ''))
    return typeof item === 'string' ? item : false
  } catch (error) {
    return String(error).includes('whitespace or EOL') ? undefined : false
  }
}

// All lengths are equally likely: fast-check by itself prefers short ones.
function digits(min: number, max: number): fc.Arbitrary<string> {
  return fc.integer({ min, max }).chain((length) => fc.stringMatching(new RegExp(`^\\d{${length}}$`)))
}
