import { describe, expect, test } from 'vitest'
import { type ProblemCode, problemCodes } from '../../src/protocol/codes.ts'
import { createProblem, defaultProblemBase, problemDocument } from '../../src/protocol/problem.ts'

// What the documentation promises, written a second time on purpose.
const promised: ReadonlyArray<[code: ProblemCode, status: number, retryable: boolean]> = [
  ['missing-key', 400, false],
  ['malformed-key', 400, false],
  ['key-reused', 422, false],
  ['in-progress', 409, true],
  ['outcome-unknown', 409, false],
  ['response-not-kept', 409, false],
  ['body-too-large', 413, false],
  ['store-unavailable', 503, true],
  ['scope-missing', 500, false],
  ['body-consumed', 500, false],
]

test('the table has the codes that are promised, and no others', () => {
  expect(Object.keys(problemCodes)).toEqual(promised.map(([code]) => code))
})

test('titles are constant and tell the problems apart', () => {
  const titles = Object.values(problemCodes).map(({ title }) => title)
  expect(new Set(titles).size).toBe(titles.length)
})

describe.each(promised)('%s', (code, status, retryable) => {
  test('has its status, type and retryable', () => {
    expect(problemDocument(createProblem(code), defaultProblemBase)).toEqual({
      type: `urn:hapax:problem:${code}`,
      title: problemCodes[code].title,
      status,
      detail: problemCodes[code].detail,
      code,
      retryable,
    })
  })

  test('says what to do in a sentence, and when', () => {
    expect(problemCodes[code].detail).toMatch(/^[A-Z].+\.$/)
    expect(createProblem(code).headers).toEqual(retryable ? [['Retry-After', '1']] : [])
  })
})

test('a detail replaces the default', () => {
  expect(createProblem('malformed-key', { detail: 'The key is blank.' }).detail).toBe('The key is blank.')
})

test.each([
  [2, '2'],
  [1.2, '2'],
  [0, '0'],
  [-3, '0'],
])('Retry-After: %d is written as %s', (retryAfterSeconds, value) => {
  expect(createProblem('in-progress', { retryAfterSeconds }).headers).toEqual([['Retry-After', value]])
  expect(createProblem('outcome-unknown', { retryAfterSeconds }).headers).toEqual([['Retry-After', value]])
})

test('the base is put before the code', () => {
  const document = problemDocument(createProblem('key-reused'), 'https://api.example.com/problems/')
  expect(document['type']).toBe('https://api.example.com/problems/key-reused')
})

test('extensions are added, and replace no standard member', () => {
  const extensions = {
    type: 'x',
    title: 'x',
    status: 200,
    detail: 'x',
    code: 'x',
    retryable: true,
    originalStatus: 201,
    ['__proto__']: { polluted: true },
  }
  const problem = createProblem('response-not-kept', { extensions })
  const document = problemDocument(problem, defaultProblemBase)
  expect(document).toMatchObject({
    type: 'urn:hapax:problem:response-not-kept',
    status: 409,
    retryable: false,
  })
  expect(document).toMatchObject({ title: problem.title, detail: problem.detail, code: problem.code })
  expect(document['originalStatus']).toBe(201)
  expect('polluted' in document).toBe(false)
  expect(Object.keys(document).slice(0, 2)).toEqual(['type', 'title'])
})

test('a problem without extensions has no such property', () => {
  expect('extensions' in createProblem('missing-key')).toBe(false)
})
