import { IdempotencyError, isIdempotencyError, nameAndMessage } from '../../core/errors.ts'

/** What the SDK threw, as an error that says in plain words what to do about it. */
export function storeError(error: unknown, table: string): IdempotencyError {
  if (isIdempotencyError(error)) return error
  const { name, message } = nameAndMessage(error)
  const advice = adviceByName.get(name) ?? ''
  const text = `DynamoDB refused an operation on the table ${table}: ${message === '' ? name : message}${advice}`
  return new IdempotencyError('store-failed', text, { cause: error })
}

/** What stands there, as far as the reply tells: some that speak this protocol leave it out. */
export function refusedBy(error: unknown): { readonly item: unknown } | undefined {
  if (!(error instanceof Error) || error.name !== 'ConditionalCheckFailedException') return undefined
  return { item: Reflect.get(error, 'Item') }
}

export function isTooLarge(error: unknown): boolean {
  const { name, message } = nameAndMessage(error)
  return name === 'ValidationException' && /item size/i.test(message)
}

const throttled = ' Give the table more capacity, or on-demand billing.'

const adviceByName = new Map([
  [
    'AccessDeniedException',
    ' The role needs dynamodb:GetItem, PutItem and BatchGetItem on the table, and Scan for hapax keys.',
  ],
  ['CredentialsProviderError', ' Give the client credentials.'],
  ['ProvisionedThroughputExceededException', throttled],
  ['RequestLimitExceeded', throttled],
  ['ResourceNotFoundException', ' Create the table: docs/dynamodb.md shows how.'],
  ['ThrottlingException', throttled],
  ['ValidationException', ' The table needs one key: "id", a string, as HASH.'],
])
