import canonicalize from 'canonicalize'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalJson } from '../../src/protocol/canonical-json.ts'
import { canonicalValue } from '../../src/protocol/canonical-value.ts'
import { arriving, canonicalText, json, parse, spelledJson } from './json.ts'

describe('against canonicalize', () => {
  test('has the same form of a value', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(canonicalValue(value)).toBe(canonicalize(value))
      }),
      { numRuns: 2000 },
    )
  })

  test('has the same form of every text of a value', () => {
    fc.assert(
      fc.property(spelledJson, ({ value, text }) => {
        expect(canonicalText(text)).toBe(canonicalize(value))
      }),
      { numRuns: 2000 },
    )
  })

  test('sorts many members too, by UTF-16 code units', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ unit: 'binary', maxLength: 3 }), { minLength: 17, maxLength: 60 }),
        (names) => {
          const text = `{${names.map((name, index) => `${JSON.stringify(name)}:${index}`).join(',')}}`
          expect(canonicalText(text)).toBe(canonicalize(parse(text)))
          expect(canonicalValue(parse(text))).toBe(canonicalize(parse(text)))
        },
      ),
    )
  })
})

describe('against JSON.parse', () => {
  // Texts that are JSON, nearly JSON, or noise.
  const fragment = fc.oneof(
    fc.constantFrom('{', '}', '[', ']', ':', ',', '"', '\\', ' ', '\n', '\t', '\r', '/'),
    fc.constantFrom(
      '0',
      '1',
      '9',
      '12',
      '00',
      '.',
      '-',
      '+',
      'e',
      'E',
      'e5',
      '-0',
      '.5',
      '1.',
      '1.50',
      '1e5',
    ),
    fc.constantFrom('\u0000', '\u001f', '\u007f', '\u00a0', '\u2028', '\ufeff', '\ud800', '\udc00', 'é'),
    fc.constantFrom('true', 'false', 'null', 'nul', 'NaN', 'f', '//', "'a'"),
    fc.constantFrom('"a":', '"b":1', '{"a":', '\\u00', '\\u0041', '\\ud800', '\\x', '\\n', '\\/'),
  )
  const noise = fc.array(fragment, { maxLength: 12 }).map((parts) => arriving(parts.join('')))
  const damaged = fc
    .tuple(spelledJson, fc.nat(), fc.oneof(fc.constant(''), fragment), fc.nat({ max: 2 }))
    .map(([{ text }, at, insert, remove]) => {
      const position = at % (text.length + 1)
      return arriving(text.slice(0, position) + insert + text.slice(position + remove))
    })

  test.each([
    ['noise', noise],
    ['JSON with one change', damaged],
  ])('accepts exactly what it accepts of %s, unless it can say why', (_, texts) => {
    fc.assert(
      fc.property(texts, (text) => {
        const parsed = tryParse(text)
        const canonical = canonicalText(text)
        if (parsed === undefined) expect(canonical).toBeUndefined()
        else if (hasDuplicate(text, parsed.value) || hasInexactNumber(text)) expect(canonical).toBeUndefined()
        else expect(canonical).toBe(canonicalValue(parsed.value))
      }),
      { numRuns: 5000 },
    )
  })

  test('has generators that yield both outcomes often', () => {
    for (const texts of [noise, damaged]) {
      const verdicts = fc.sample(texts, 2000).map((text) => tryParse(text) !== undefined)
      expect(verdicts.filter(Boolean).length).toBeGreaterThan(4)
      expect(verdicts.filter((valid) => !valid).length).toBeGreaterThan(100)
    }
  })
})

function tryParse(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

const STRING = /"(?:[^"\\]|\\.)*"/gs

// A member that occurs twice is written once more often than it is found in the value.
function hasDuplicate(text: string, value: unknown): boolean {
  const written = text.replace(STRING, '""').match(/""\s*:/g)?.length ?? 0
  return written !== countMembers(value)
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const children: unknown[] = Object.values(value)
  return (
    (Array.isArray(value) ? 0 : children.length) +
    children.reduce<number>((sum, child) => sum + countMembers(child), 0)
  )
}

function hasInexactNumber(text: string): boolean {
  const numbers = text.replace(STRING, '').match(/-?\d[\d.eE+-]*/g) ?? []
  return numbers.some((number) => !isExact(number))
}

// Compares what is written with what is printed as fractions of big integers.
function isExact(source: string): boolean {
  const printed = String(Number(source))
  if (printed.endsWith('Infinity')) return false
  // Zero, or too small for a double: by its digits, since its exponent may be too large for any integer.
  if (Number(source) === 0) return !/[1-9]/.test(source.split(/e/i, 1)[0] ?? '')
  const [a, b] = [fractionOf(source), fractionOf(printed)]
  return a.numerator * b.denominator === b.numerator * a.denominator
}

function fractionOf(number: string): { numerator: bigint; denominator: bigint } {
  const [mantissa = '', exponent = '0'] = number.toLowerCase().split('e')
  const [whole = '', fraction = ''] = mantissa.split('.')
  const power = Number(exponent) - fraction.length
  const digits = BigInt(whole + fraction)
  return power >= 0
    ? { numerator: digits * 10n ** BigInt(power), denominator: 1n }
    : { numerator: digits, denominator: 10n ** BigInt(-power) }
}

describe('numbers', () => {
  test.each([
    ['1', '1'],
    ['1.0', '1'],
    ['1e0', '1'],
    ['100e-2', '1'],
    ['0.1', '0.1'],
    ['1.10', '1.1'],
    ['-0', '0'],
    ['-0.0', '0'],
    ['0e99999999999999999999', '0'],
    ['-0.000E-5', '0'],
    ['123456789012.50', '123456789012.5'],
    ['1e-300', '1e-300'],
    ['1.50e300', '1.5e+300'],
    ['2.5e-323', '2.5e-323'],
    ['1E2', '100'],
    ['0.000001', '0.000001'],
    ['0.0000001', '1e-7'],
    ['1000000000000000000000', '1e+21'],
    ['100000000000000000000', '100000000000000000000'],
    ['9007199254740992', '9007199254740992'],
    ['1.7976931348623157e308', '1.7976931348623157e+308'],
    ['5e-324', '5e-324'],
    [`1${'0'.repeat(300)}`, '1e+300'],
    [`0.${'0'.repeat(300)}1e301`, '1'],
  ])('%s is %s', (text, canonical) => {
    expect(canonicalText(text)).toBe(canonical)
  })

  test.each([
    '9007199254740993',
    '0.1000000000000000055511151231257827',
    '123456789012345678901234567890',
    '1e400',
    '-1e400',
    '1e-400',
    '4e-324',
    '1.234567e-320',
    '0.1e-323',
    '-1e-400',
    '0.00000000001e-400',
    '1.00000000000000000001',
    '1e99999999999999999999',
    '1e-99999999999999999999',
  ])('%s is no number that a double holds', (text) => {
    expect(canonicalText(text)).toBeUndefined()
    expect(canonicalText(`{"a":[${text}]}`)).toBeUndefined()
  })

  test('have a form exactly when printing gives back their value', () => {
    const digits = fc.stringMatching(/^\d{1,20}$/)
    const exponent = fc.option(
      fc.tuple(fc.constantFrom('e', 'E', 'e+', 'e-'), fc.integer({ min: 0, max: 330 })),
    )
    fc.assert(
      fc.property(
        fc.constantFrom('', '-'),
        fc.bigInt({ min: 0n, max: 10n ** 20n }),
        fc.option(digits),
        exponent,
        (sign, whole, fraction, power) => {
          const text = `${sign}${whole}${fraction === null ? '' : `.${fraction}`}${power === null ? '' : power.join('')}`
          expect(canonicalText(text)).toBe(isExact(text) ? JSON.stringify(JSON.parse(text)) : undefined)
        },
      ),
      { numRuns: 3000 },
    )
  })
})

describe('members', () => {
  test.each([
    '{"a":1,"a":1}',
    '{"a":1,"b":2,"a":3}',
    '{"a":1,"\\u0061":2}',
    '[{"x":{"é":1,"\\u00e9":1}}]',
    '{"__proto__":1,"__proto__":2}',
    '{"\\ud800":1,"\\uD800":2}',
    `{${Array.from({ length: 40 }, (_, index) => `"${index % 39}":${index}`).join(',')}}`,
  ])('%s has one twice', (text) => {
    expect(canonicalText(text)).toBeUndefined()
  })

  test('of one name in different objects are no duplicates', () => {
    expect(canonicalText('{"b":{"a":1},"a":[{"a":1},{"a":1}]}')).toBe('{"a":[{"a":1},{"a":1}],"b":{"a":1}}')
  })

  test('are read the same after objects that are alike in part', () => {
    // Few names, so that one object often begins, ends or goes on like the one before.
    const member = fc.tuple(
      fc.constantFrom('a', 'b', 'ab', '"', '\\', '\u00e9'),
      fc.integer({ min: 0, max: 9 }),
    )
    const objects = fc.array(fc.array(member, { maxLength: 4 }), { minLength: 2, maxLength: 8 })
    const textOf = (members: ReadonlyArray<[string, number]>) =>
      `{${members.map(([name, value]) => `${JSON.stringify(name)}: ${value}`).join(',')}}`
    fc.assert(
      fc.property(objects, (list) => {
        const hasTwice = list.some((members) => new Set(members.map(([name]) => name)).size < members.length)
        const text = `[${list.map(textOf).join(' ,')}]`
        // Not by JSON.parse, which in Node 24.21 reads the name `"\\""` as a backslash once it has read one of those.
        const values = list.map((members) => Object.fromEntries(members))
        expect(canonicalText(text)).toBe(hasTwice ? undefined : canonicalize(values))
      }),
      { numRuns: 3000 },
    )
  })

  test('may be called __proto__', () => {
    const text = '{"b":1,"__proto__":{"a":1}}'
    expect(canonicalText(text)).toBe('{"__proto__":{"a":1},"b":1}')
    expect(canonicalValue(JSON.parse(text))).toBe('{"__proto__":{"a":1},"b":1}')
    expect(canonicalText('{"b":1}')).not.toBe(canonicalText(text))
  })
})

describe('members out of order', () => {
  test.each([
    ['{"\ue000":1,"😀":2,"z":3}', '{"z":3,"😀":2,"\ue000":1}'],
    ['{"é\uffff":1,"é😀":2,"é":3}', '{"é":3,"é😀":2,"é\uffff":1}'],
    ['{"#":1,"\\"":2,"!":3}', '{"!":3,"\\"":2,"#":1}'],
    ['{"a\\\\":1,"a\\n":2,"aZ":3,"a":4}', '{"a":4,"a\\n":2,"aZ":3,"a\\\\":1}'],
    ['{"\\ue000":1,"\\ud83d":2,"\\ud83d\\ude00":3}', '{"\\ud83d":2,"😀":3,"\ue000":1}'],
    ['{"ab":1,"a ":2,"a":3}', '{"a":3,"a ":2,"ab":1}'],
  ])('%s become %s', (text, canonical) => {
    expect(canonicalText(text)).toBe(canonical)
  })

  test('stay with their values, however they are nested', () => {
    const leaf = { d: [{ y: 1, x: '}' }, {}, { x: 1, y: 2 }], c: { b: ',', a: 0 } }
    const value = { z: [leaf, leaf], m: { a: leaf, b: 1 }, y: {}, a: { b: 2, a: leaf } }
    for (const text of [JSON.stringify(value), JSON.stringify(value, null, 2)]) {
      expect(canonicalText(text)).toBe(canonicalize(value))
    }
  })

  test('may be many', () => {
    const lines = Array.from({ length: 5_000 }, (_, index) => ({ b: index, a: { d: `${index}`, c: [] } }))
    expect(canonicalText(JSON.stringify({ lines, id: 1 }))).toBe(canonicalize({ lines, id: 1 }))
  })

  test('are found out of order in one object after they were in order in another', () => {
    const text =
      '[{"b":1,"a":2},{"a":1,"b":2},{"b":1,"a":2},{"c":1,"a":2},{"a":1,"c":2,"b":3},{"c":1,"b":2,"a":3}]'
    expect(canonicalText(text)).toBe(canonicalize(parse(text)))
  })
})

describe('texts that are read one after the other', () => {
  test('have nothing of each other', () => {
    expect(canonicalText('[1,2,{"b":1,"a":2}]')).toBe('[1,2,{"a":2,"b":1}]')
    for (const cut of ['[1', '[1,2', '[1,2,{"b":1', '[1,2,{"b":1,"a":2}', '"', '-', '']) {
      expect(canonicalText(cut)).toBeUndefined()
      expect(canonicalText('[1,2,{"b":1,"a":2}]')).toBe('[1,2,{"a":2,"b":1}]')
    }
    expect(canonicalText('{"c":1}')).toBe('{"c":1}')
  })

  test('leave what they were made of as it was', () => {
    const bytes = Buffer.from('[ 1e20, {"b": "\\u0041", "a": 1.50} ]')
    const before = bytes.toString()
    expect(canonicalJson(bytes)?.toString()).toBe('[100000000000000000000,{"a":1.5,"b":"A"}]')
    expect(bytes.toString()).toBe(before)
  })

  test.each(['1\0', '{"a":1}\0', '[1]\0 ', '"a\0"', '\0', '[1,\0'])('do not end with a NUL: %j', (text) => {
    expect(canonicalText(text)).toBeUndefined()
  })
})

test('a form may be longer than its text', () => {
  const text = `{"b":[${'1e20,'.repeat(3000)}1e-6],"a":"${'x'.repeat(100)}","0":[ 1e20 , {"b":1e20,"a":"é"} ]}`
  expect(canonicalText(text)).toBe(canonicalize(parse(text)))
})

describe('strings', () => {
  test.each([
    ['"\\u0041\\/\\u00e9"', '"A/é"'],
    ['"\\u000a\\u0008\\u001F\\u007f"', '"\\n\\b\\u001f\x7f"'],
    ['"\\ud83d\\ude00"', '"😀"'],
    ['"\u2028"', '"\u2028"'],
  ])('%s is %s', (text, canonical) => {
    expect(canonicalText(text)).toBe(canonical)
    expect(canonicalValue(JSON.parse(text))).toBe(canonical)
  })

  test('keep half of a surrogate pair apart from every other string', () => {
    const forms = ['\ud800', '\ud801', '\udc00', '\ufffd', '\\ud800'].map((text) => canonicalValue(text))
    expect(new Set(forms).size).toBe(forms.length)
    expect(canonicalText('"\\uD800"')).toBe('"\\ud800"')
    expect(canonicalText('{"\\uD800":1}')).toBe('{"\\ud800":1}')
  })

  test.each([
    ['"\\uDC00\\uDC00"', '"\\udc00\\udc00"'],
    ['"\\ud800\\ud800\\udc00"', '"\\ud800\u{10000}"'],
    ['"\\udc00\\ud800"', '"\\udc00\\ud800"'],
    ['"\\ud83dA\\ude00"', '"\\ud83dA\\ude00"'],
    ['"\\ud83d\\n\\ude00\\u00Ff\\uFFFF"', '"\\ud83d\\n\\ude00\u00ff\uffff"'],
  ])('pair halves of %s as JSON.parse does', (text, canonical) => {
    expect(canonicalText(text)).toBe(canonical)
    expect(canonicalText(text)).toBe(JSON.stringify(JSON.parse(text)))
  })
})

describe('nesting', () => {
  test.each([
    ['arrays', (depth: number) => deep(depth, '[', ']')],
    ['objects', (depth: number) => `${'{"a":'.repeat(depth - 1)}{}${'}'.repeat(depth - 1)}`],
  ])('of %s has a limit that texts and values share', (_, nest) => {
    expect(canonicalText(nest(1000))).toBe(nest(1000))
    expect(canonicalValue(JSON.parse(nest(1000)))).toBe(nest(1000))
    expect(canonicalText(nest(1001))).toBeUndefined()
    expect(canonicalValue(JSON.parse(nest(1001)))).toBeUndefined()
  })

  test('of any depth does not overflow the stack', () => {
    expect(canonicalText('['.repeat(1_000_000))).toBeUndefined()
    expect(canonicalText('{"a":'.repeat(200_000))).toBeUndefined()
    let value: unknown = 1
    for (let depth = 0; depth < 200_000; depth += 1) value = { value }
    expect(canonicalValue(value)).toBeUndefined()
  })

  test('is counted anew for siblings', () => {
    const siblings = `[${Array.from({ length: 3 }, () => deep(999, '[', ']')).join(',')}]`
    expect(canonicalText(siblings)).toBe(siblings)
    expect(canonicalValue(JSON.parse(siblings))).toBe(siblings)
  })
})

describe('canonicalValue', () => {
  class Money {
    readonly amount = 5
    readonly currency = 'EUR'
  }
  const shared = { a: 1 }

  test.each<[what: string, value: unknown, canonical: string]>([
    ['a date', { at: new Date(0) }, '{"at":"1970-01-01T00:00:00.000Z"}'],
    ['an object with toJSON', { toJSON: () => ({ b: 1, a: 2 }) }, '{"a":2,"b":1}'],
    ['toJSON called once only', { toJSON: () => ({ a: 1, toJSON: () => 2 }) }, 'undefined'],
    ['toJSON that is a member', { toJSON: 'x' }, '{"toJSON":"x"}'],
    [
      'the name given to toJSON',
      { a: { toJSON: (name: string) => name }, b: [{ toJSON: (name: string) => name }] },
      '{"a":"a","b":["0"]}',
    ],
    ['an undefined member', { a: undefined, b: 1 }, '{"b":1}'],
    ['a member that toJSON makes undefined', { a: { toJSON: () => undefined } }, '{}'],
    ['undefined in an array', [undefined, null], '[null,null]'],
    ['a hole in an array', Array.from({ length: 2 }), '[null,null]'],
    ['an instance of a class', new Money(), '{"amount":5,"currency":"EUR"}'],
    ['an object without prototype', Object.assign(Object.create(null), { a: 1 }), '{"a":1}'],
    ['a symbol as a name', { [Symbol('a')]: 1, b: 2 }, '{"b":2}'],
    ['a Buffer', Buffer.from('a'), '{"data":[97],"type":"Buffer"}'],
    ['one object in two places', [shared, shared], '[{"a":1},{"a":1}]'],
    ['minus zero', -0, '0'],
  ])('writes %s', (_, value, canonical) => {
    expect(String(canonicalValue(value))).toBe(canonical)
  })

  const cycle: Record<string, unknown> = {}
  cycle['self'] = [cycle]

  test.each<[what: string, value: unknown]>([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('a')],
    ['a bigint', 1n],
    ['NaN', Number.NaN],
    ['an infinity', Number.NEGATIVE_INFINITY],
    ['a date that is none', new Date(Number.NaN).getTime()],
    ['a cycle', cycle],
    ['a Map', new Map([[1, 2]])],
    ['a Set', new Set([1])],
    ['a promise', Promise.resolve(1)],
    ['an error', new Error('x')],
    ['a regular expression', /a/],
    ['a typed array', new Uint8Array(1)],
    ['URLSearchParams', new URLSearchParams('a=1')],
    ['FormData', new FormData()],
  ])('has no form of %s, on its own or inside', (_, value) => {
    expect(canonicalValue(value)).toBeUndefined()
    if (value === undefined) return
    expect(canonicalValue({ a: value })).toBeUndefined()
    expect(canonicalValue([value])).toBeUndefined()
  })
})

describe('texts of 1 MiB take a time that grows with their length only', () => {
  const size = 1024 * 1024
  test.each<[what: string, text: string]>([
    ['digits', '1'.repeat(size)],
    ['zeros', `0.${'0'.repeat(size)}1`],
    ['zeros inside', `1${'0'.repeat(size)}1`],
    ['spaces', `[1${' '.repeat(size)}`],
    ['open strings', '["'.repeat(size / 2)],
    ['backslashes', `"${'\\'.repeat(size)}`],
    ['escaped quotes', `["${'\\"'.repeat(size / 2)}`],
    ['a long string at depth', `${'[1,'.repeat(999)}"${'a'.repeat(size)}"${']'.repeat(999)}`],
    [
      'many members',
      `{${Array.from({ length: 60_000 }, (_, index) => `"${(index * 7919) % 60_013}":${index}`).join(',')}}`,
    ],
    ['members in reverse order', reversed(90_000, (index) => `"${index}":0`)],
    ['long names that are alike', reversed(900, (index) => `"${'n'.repeat(1000)}${index}":0`)],
    ['long names with an escape', reversed(900, (index) => `"\\n${'n'.repeat(1000)}${index}":0`)],
    ['objects out of order at depth', `${'{"b":0,"a":'.repeat(999)}"${'a'.repeat(size)}"${'}'.repeat(999)}`],
    ['objects out of order in lists', `[${'{"b":[{"b":0,"a":0}],"a":0},'.repeat(size / 28)}0]`],
    ['numbers that grow', `[${'1e20,'.repeat(size / 5)}0]`],
    ['escapes', `"${'\\u00e9'.repeat(size / 6)}"`],
  ])('%s', (_, text) => {
    const start = performance.now()
    const canonical = canonicalText(text)
    expect(canonical === undefined || canonical.length > 0).toBe(true)
    // A quadratic step would take minutes.
    expect(performance.now() - start).toBeLessThan(2000)
  })
})

function reversed(count: number, memberOf: (index: number) => string): string {
  return `{${Array.from({ length: count }, (_, index) => memberOf(100_000 + count - index)).join(',')}}`
}

function deep(depth: number, open: string, close: string): string {
  return open.repeat(depth) + close.repeat(depth)
}
