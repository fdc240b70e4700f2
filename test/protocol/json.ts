// Generators of JSON values and of the many texts that one value can have.
import * as fc from 'fast-check'
import { canonicalJson } from '../../src/protocol/canonical-json.ts'

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

const text = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.string({ unit: 'binary', maxLength: 4 }),
  fc.constantFrom(
    '__proto__',
    'toJSON',
    'constructor',
    'length',
    '0',
    '1',
    '10',
    '9',
    '',
    'é',
    'e\u0301',
    '\ue000',
    '😀',
  ),
)
const number = fc.oneof(
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(0, -0, 1e21, 1e-7, 0.1, 5e-324, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER, 12.5, -1e300),
)

/** Values whose text and canonical form all parsers agree on: no lone surrogates. */
export const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false),
    number,
    text,
    fc.array(tie('value'), { maxLength: 5 }),
    // By way of JSON.parse, which alone makes an own member of the name __proto__.
    fc.array(fc.tuple(text, tie('value')), { maxLength: 6 }).map(objectOf),
  ),
})).value

function objectOf(members: Array<[string, Json]>): Json {
  const unique = new Map(members)
  return parse(
    `{${Array.from(unique, (member) => member.map((part) => JSON.stringify(part)).join(':')).join(',')}}`,
  )
}

export function parse(source: string): Json {
  const value: Json = JSON.parse(source)
  return value
}

/** The canonical form of what arrives when this text is sent. */
export function canonicalText(source: string): string | undefined {
  return canonicalJson(Buffer.from(source))?.toString()
}

/** No half of a surrogate pair arrives: UTF-8 has no bytes for it. */
export function arriving(source: string): string {
  return Buffer.from(source).toString()
}

// Writes a value as some text that has it: `choose(n)` decides among n spellings, at each place anew.
function spell(value: Json, choose: (count: number) => number): string {
  if (typeof value === 'string') return spellString(value, choose)
  if (typeof value === 'number') return spellNumber(value, choose)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const space = () => [' ', '', '\n', '\t\r'][choose(4)] ?? ''
  if (Array.isArray(value)) {
    return `[${space()}${value.map((element) => spell(element, choose) + space()).join(`,${space()}`)}]`
  }
  const members = Object.keys(value).map(
    (name) =>
      `${spellString(name, choose)}${space()}:${space()}${spell(value[name] ?? null, choose)}${space()}`,
  )
  return `${space()}{${space()}${shuffle(members, choose).join(`,${space()}`)}}`
}

function spellString(value: string, choose: (count: number) => number): string {
  return `"${Array.from(value, (character) => spellCharacter(character, choose)).join('')}"`
}

// A character is a whole surrogate pair, since half of one would not survive as bytes.
function spellCharacter(character: string, choose: (count: number) => number): string {
  if (choose(4) === 0) {
    const escaped = Array.from({ length: character.length }, (_, index) => hexOf(character.charCodeAt(index)))
    return choose(2) === 0
      ? `\\u${escaped.join('\\u')}`
      : `\\u${escaped.join('\\u').replace(/[a-f]/g, (digit) => digit.toUpperCase())}`
  }
  if (character === '/' && choose(2) === 0) return '\\/'
  return JSON.stringify(character).slice(1, -1)
}

function hexOf(code: number): string {
  return code.toString(16).padStart(4, '0')
}

function spellNumber(value: number, choose: (count: number) => number): string {
  const shortest = Object.is(value, -0) ? '-0' : String(value)
  const exponential = Object.is(value, -0) ? '-0e7' : value.toExponential()
  const [mantissa = '', exponent = ''] = exponential.split('e')
  switch (choose(4)) {
    case 0:
      return `${mantissa}${mantissa.includes('.') ? '' : '.'}000E${exponent}`
    case 1:
      return exponential
    case 2:
      return /[.e]/.test(shortest) ? shortest : `${shortest}.0`
    default:
      return shortest
  }
}

function shuffle<T>(items: readonly T[], choose: (count: number) => number): T[] {
  const shuffled: T[] = []
  for (const item of items) shuffled.splice(choose(shuffled.length + 1), 0, item)
  return shuffled
}

/** A value and one of its texts. */
export const spelledJson = fc
  .tuple(json, fc.array(fc.nat(), { minLength: 1, maxLength: 50 }))
  .map(([value, choices]) => {
    let next = 0
    const choose = (count: number) => (choices[next++ % choices.length] ?? 0) % count
    return { value, text: spell(value, choose) }
  })
