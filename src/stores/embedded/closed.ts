import { IdempotencyError } from '../../core/errors.ts'

export function storeClosed(factory: string): IdempotencyError {
  return new IdempotencyError(
    'store-closed',
    `The store made by ${factory}() was closed and takes no more requests: close it after the server.`,
  )
}
