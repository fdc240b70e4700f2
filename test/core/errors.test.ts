import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { IdempotencyError, invalidOption, isIdempotencyError, nameAndMessage } from '../../src/core/errors.ts'
import { createProblem } from '../../src/protocol/problem.ts'

test('an error carries its code, and its cause and problem if it has them', () => {
  const bare = new IdempotencyError('store-full', 'full')
  expect(bare).toMatchObject({ name: 'IdempotencyError', code: 'store-full', message: 'full' })
  expect(bare).toBeInstanceOf(Error)
  expect('cause' in bare).toBe(false)
  expect('problem' in bare).toBe(false)
  const problem = createProblem('in-progress')
  const cause = new Error('why')
  expect(new IdempotencyError('in-progress', 'busy', { cause, problem })).toMatchObject({ cause, problem })
})

test('an error that an API would answer with a problem has one, wherever it was thrown', () => {
  const error = new IdempotencyError('outcome-unknown', 'The lease of this key was lost.')
  expect(error.problem).toMatchObject({ status: 409, retryable: false, detail: error.message })
})

test('is told by its brand, also where it came from another copy of the package', () => {
  expect(isIdempotencyError(invalidOption('on', 'a function', 1))).toBe(true)
  class OtherCopy extends Error {}
  const other = Object.defineProperty(new OtherCopy(), Symbol.for('hapax.error'), { value: true })
  expect(isIdempotencyError(other)).toBe(true)
  for (const value of [new Error('x'), null, undefined, 'text', { code: 'store-full' }]) {
    expect(isIdempotencyError(value)).toBe(false)
  }
  expect(Object.keys(new IdempotencyError('store-full', 'full'))).not.toContain('hapax.error')
})

test('an error of another realm keeps its name and message', () => {
  const foreign: unknown = runInNewContext('new TypeError("elsewhere")')
  expect(foreign).not.toBeInstanceOf(Error)
  expect(nameAndMessage(foreign)).toEqual({ name: 'TypeError', message: 'elsewhere' })
})
