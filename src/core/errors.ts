import { type ProblemCode, problemCodes } from '../protocol/codes.ts'
import { createProblem, type Problem } from '../protocol/problem.ts'

/** Codes of errors that are the developer's to mend, or the store's. */
export type ErrorCode =
  | ProblemCode
  | 'invalid-option'
  | 'unsupported-framework'
  | 'recorded-failure'
  | 'result-not-serializable'
  | 'store-full'
  | 'store-closed'
  | 'store-failed'
  | 'schema-too-new'
  | 'sqlite-missing'
  | 'invalid-step'
  | 'duplicate-step'
  | 'step-after-answer'
  | 'step-input-changed'
  | 'step-result-not-kept'
  | 'transaction-unavailable'
  | 'commit-unknown'
  | 'unkeyed'

/**
 * Every error that hapax throws. Tell it by `code`, through {@link isIdempotencyError}: the ES module and the
 * CommonJS copy of this package have different classes, so `instanceof` may fail where both are loaded.
 */
export class IdempotencyError extends Error {
  readonly code: ErrorCode
  /** What an HTTP API would answer: present exactly where `code` is a {@link ProblemCode}. */
  declare readonly problem?: Problem

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; problem?: Problem } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'IdempotencyError'
    this.code = code
    if (isProblemCode(code)) this.problem = options.problem ?? createProblem(code, { detail: message })
    Object.defineProperty(this, brand, { value: true })
  }
}

function isProblemCode(code: ErrorCode): code is ProblemCode {
  return Object.hasOwn(problemCodes, code)
}

const brand = Symbol.for('hapax.error')

/** True for any error that hapax threw, whichever copy of the package it came from. */
export function isIdempotencyError(error: unknown): error is IdempotencyError {
  return typeof error === 'object' && error !== null && brand in error
}

/** The error for a wrong option: names the option, what was expected and what came. */
export function invalidOption(option: string, expected: string, received: unknown): IdempotencyError {
  return new IdempotencyError(
    'invalid-option',
    `Option "${option}" must be ${expected}; received ${describe(received)}.`,
  )
}

/**
 * The error for a framework of an earlier release than an adapter works on, which it tells by what is missing.
 *
 * @param releases As its documentation says them: `'4 and 5'`.
 */
export function unsupportedFramework(name: string, releases: string): IdempotencyError {
  return new IdempotencyError(
    'unsupported-framework',
    `hapax works on ${name} ${releases}, and this is an earlier release: upgrade ${name}.`,
  )
}

/** What can be said of anything that was thrown. Never throws itself, whatever was. */
export function nameAndMessage(thrown: unknown): { name: string; message: string } {
  try {
    // By shape: an Error of another realm (a vm context, a test runner's) is no `instanceof Error` here.
    if (typeof thrown !== 'object' || thrown === null || !('message' in thrown)) {
      return { name: 'Error', message: String(thrown) }
    }
    return { name: 'name' in thrown ? String(thrown.name) : 'Error', message: String(thrown.message) }
  } catch {
    return { name: 'Error', message: 'a value was thrown that has no text' }
  }
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (value === null || typeof value !== 'object') return String(value)
  return Array.isArray(value) ? 'an array' : 'an object'
}
