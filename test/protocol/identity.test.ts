import { createHash } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { recordId } from '../../src/protocol/identity.ts'

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

// A record written by one release is looked up by the next: these texts may never change.
test('hashes a text that is pinned', () => {
  expect(recordId('user-17', 'k')).toBe(sha256('hapax id 1\nprincipal 7:user-17\n1:k'))
  expect(recordId('Zoë', 'ключ')).toBe(sha256('hapax id 1\nprincipal 4:Zoë\n8:ключ'))
  expect(recordId(false, 'k')).toBe(sha256('hapax id 1\nshared\n1:k'))
})

test('takes a number and its string for one principal', () => {
  expect(recordId(0, 'k')).toBe(recordId('0', 'k'))
  expect(recordId(17, 'k')).toBe(recordId('17', 'k'))
})

test.each(['false', 'shared', '', '0', 0])('tells a single tenant from the principal %j', (scope) => {
  expect(recordId(scope, 'k')).not.toBe(recordId(false, 'k'))
})

describe('no two tuples have one id', () => {
  test.each<[[string, string], [string, string]]>([
    [
      ['a', 'bc'],
      ['ab', 'c'],
    ],
    [
      ['', 'ab'],
      ['ab', ''],
    ],
    [
      ['a', '1:b'],
      ['a\n1:b', ''],
    ],
    [
      ['a\n1:b', 'c'],
      ['a', 'b\n1:c'],
    ],
    [
      ['1:a', 'b'],
      ['a', '1:b'],
    ],
    [
      ['User', 'k'],
      ['user', 'k'],
    ],
    [
      ['user', 'K'],
      ['user', 'k'],
    ],
    [
      ['é', 'k'],
      ['e\u0301', 'k'],
    ],
  ])('%j and %j', (a, b) => {
    expect(recordId(...a)).not.toBe(recordId(...b))
  })

  test('whatever they are', () => {
    const text = fc
      .array(fc.constantFrom('a', '1', ':', '\n', 'principal ', 'shared', ' '), { maxLength: 5 })
      .map((parts) => parts.join(''))
    const scope = fc.oneof(text, fc.constant<false>(false))
    fc.assert(
      fc.property(scope, text, scope, text, (scopeA, keyA, scopeB, keyB) => {
        const equal = scopeA === scopeB && keyA === keyB
        expect(recordId(scopeA, keyA) === recordId(scopeB, keyB)).toBe(equal)
      }),
      { numRuns: 2000 },
    )
  })
})

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 'a\ud800', '\udc00'])(
  'refuses the scope %j, which would be shared by different callers',
  (scope) => {
    expect(() => recordId(scope, 'k')).toThrow(TypeError)
  },
)
