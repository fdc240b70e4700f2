import { IdempotencyError, isIdempotencyError } from '../../core/errors.ts'

/** What the client threw, as an error that says in plain words what to do about it. */
export function storeError(error: unknown): IdempotencyError {
  if (isIdempotencyError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  if (isOutOfMemory(error)) {
    return new IdempotencyError(
      'store-full',
      'Redis has reached its maxmemory and takes no new keys. Raise maxmemory or shorten retain: nothing that ' +
        'was recorded is lost, and the store goes on by itself.',
      { cause: error },
    )
  }
  const advice = adviceByCode.get(message.split(/[\s:]/, 1)[0] ?? '') ?? ''
  return new IdempotencyError('store-failed', `Redis refused an operation: ${message}${advice}`, {
    cause: error,
  })
}

export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('OOM')
}

/** The script is not in the server's cache, and so did not run. */
export function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT')
}

const adviceByCode = new Map([
  ['NOAUTH', ' Give the client the username and password of this server.'],
  [
    'NOPERM',
    ' The user needs EVAL, EVALSHA, GET, SET, TIME and PUBLISH on the keys and channels of the prefix.',
  ],
  [
    'READONLY',
    ' The client is connected to a replica: use Sentinel or Cluster, or connect it to the master.',
  ],
  ['NOREPLICAS', ' The server has fewer replicas than its min-replicas-to-write asks for.'],
  ['LOADING', ' The server is still loading its records from disk.'],
])
