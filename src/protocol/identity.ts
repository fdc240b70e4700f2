import { hash } from 'node:crypto'

/**
 * The id of a record: SHA-256, in base64url, of the length-prefixed tuple (scope, key).
 *
 * `false` (one tenant, one key space for all callers) is a scope of its own and equals no string. A number
 * and its string are the same principal: `recordId(7, key)` is `recordId('7', key)`, since databases and
 * tokens carry one user's id as either.
 *
 * @throws TypeError for a scope that can't tell one principal from another: NaN, an infinity, or text with
 * half of a surrogate pair. To hash these would let different callers share a record.
 * @example
 * recordId('user-17', '8e03978e-40d5-43e8-bc93-6894a57f9324') // 43 characters
 */
export function recordId(scope: string | number | false, key: string): string {
  const scopeText = scope === false ? 'shared' : `principal ${lengthPrefixed(principalOf(scope))}`
  return hash('sha256', `hapax id 1\n${scopeText}\n${lengthPrefixed(key)}`, 'base64url')
}

function principalOf(scope: string | number): string {
  if (typeof scope === 'number' && !Number.isFinite(scope)) {
    throw new TypeError(`An idempotency scope must identify a caller, but it is ${scope}.`)
  }
  const principal = String(scope)
  // Half of a surrogate pair becomes U+FFFD in UTF-8, so two such scopes would be one.
  if (/\p{Cs}/u.test(principal)) {
    throw new TypeError(
      'An idempotency scope must be well-formed Unicode, but it has half of a surrogate pair.',
    )
  }
  return principal
}

function lengthPrefixed(text: string): string {
  return `${Buffer.byteLength(text)}:${text}`
}
